# What LuaRocks runs to build the C module (see the rockspec): the sources of CMakeLists.txt with the
# same protection, in one command. The variables are LuaRocks' own.
#
# No list of sources: the module is all that lies in the rooms.
sources := $(sort $(wildcard src/core/*/*.c src/binding/*.c src/binding/*/*.c))
headers := $(wildcard src/include/batchapi/*.h src/core/*/*.h src/binding/*/*.h)
module := build-rock/core.so

# Of these words those that the compiler knows.
known = $(foreach word,$(1),$(shell echo 'int main(void){return 0;}' | $(CC) -Werror $(word) -x c - -o /dev/null 2>/dev/null && echo $(word)))

flags := -std=gnu11 -fPIC -fvisibility=hidden -D_GNU_SOURCE -U_FORTIFY_SOURCE \
	$(call known,-fstack-protector-strong -fstack-clash-protection -fcf-protection)
# Where nothing is optimised it protects nothing, and says so.
fortify := $(if $(findstring -O,$(CFLAGS)),-D_FORTIFY_SOURCE=3)
link := -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodelete -Wl,--exclude-libs,ALL
incdirs := src/include src/core src $(LUA_INCDIR) $(CURL_INCDIR) $(OPENSSL_INCDIR) $(ZLIB_INCDIR)
libdirs := $(CURL_LIBDIR) $(OPENSSL_LIBDIR) $(ZLIB_LIBDIR)

.PHONY: all
all: $(module)

$(module): $(sources) $(headers)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(flags) $(fortify) $(addprefix -I,$(incdirs)) $(LIBFLAG) -o $@ $(sources) \
	  $(link) $(addprefix -L,$(libdirs)) -lcurl -lssl -lcrypto -lz -lpthread -lm
