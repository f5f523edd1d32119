# What each target does is said where it is done: tools/NAME, bench/NAME.
.PHONY: build demo docs test test-all test-kill simulate simulate-mutants soak check-memory check-hostile fuzz dist format install \
        bench-http bench-transfer bench-jobs bench-openresty bench-job-nginx bench-hosts clean

build:
	@tools/build 5.4

# On a bare Debian 12 with git and a C toolchain, as root or with sudo:
# installs what is missing, builds, runs, and leaves nothing running.
demo:
	@tools/install-deps run
	@tools/build module
	@sandbox/run tools/demo

# The documentation as a site: build-site/index.html
docs:
	@tools/install-deps test
	@tools/build 5.4
	@sandbox/run tools/make-docs
	@tools/make-site

test:
	@tools/install-deps test
	@tools/test

test-all:
	@tools/install-deps all
	@tools/test --all

test-kill:
	@tools/install-deps test
	@tools/build 5.4
	@tools/test-kill $(SEEDS)

# SEEDS jobs in a simulated world, from SEED_FROM on; SEED: one, with its trace
simulate:
	@tools/install-deps test
	@tools/simulate $(if $(SEED),--seed $(SEED),$(or $(SEEDS),2000) $(or $(SEED_FROM),1))

# Faults planted one at a time (spec/simulate/mutants.lua): each must be found
simulate-mutants:
	@tools/install-deps test
	@tools/simulate --mutants $(SEEDS)

check-memory:
	@tools/install-deps test
	@tools/check-memory

# Servers that mean harm: all of them; make test has a short form.
check-hostile:
	@tools/install-deps test
	@tools/build 5.4
	@BATCHAPI_HOSTILE=all BATCHAPI_BUILD=build BATCHAPI_LUA=lua5.4 \
	  sandbox/run busted --lua=/usr/bin/lua5.4 spec/hostile/hostile_spec.lua

# SECONDS for each target
fuzz:
	@tools/install-deps test
	@tools/fuzz $(SECONDS)

# Calls, jobs and aborts in every host that is installed, for MINUTES in all: memory and descriptors stay flat
soak:
	@tools/install-deps test
	@tools/build 5.4 5.3 luajit
	@sandbox/run tools/soak-hosts $(or $(MINUTES),5)

# The tarball, the rock, the .debs and their bill of materials, of what is committed
dist:
	@tools/install-deps dist
	@tools/make-dist dist

format:
	@tools/check-format --fix

# Into DESTDIR and PREFIX, beside the interpreter's own modules.
PREFIX ?= /usr/local
install: build
	@cmake --install build --prefix "$(PREFIX)"

bench-http bench-transfer bench-jobs bench-openresty bench-job-nginx bench-hosts:
	@tools/install-deps bench
	@tools/build bench
	@bench/$(@:bench-%=%)

clean:
	@rm -rf build build-* batchapi
	@find src -name '*.o' -delete
