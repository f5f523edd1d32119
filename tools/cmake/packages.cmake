# The .debs of `make dist`: lua-batchapi has a module for each Lua that this system has
# headers of (that of 5.1 serves LuaJIT, too), lua-batchapi-doc the pages and examples.
# Paths are Debian's own. Two builds of the same commit give the same bytes: times come
# from SOURCE_DATE_EPOCH.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  message(FATAL_ERROR "packages: SOURCE_DATE_EPOCH is not set; use tools/make-dist")
endif()
set(stage ${CMAKE_CURRENT_BINARY_DIR}/packages)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(readable PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

set(lua_first "")
foreach(version 5.1 5.2 5.3 5.4 5.5)
  pkg_check_modules(LUA_${version} QUIET lua${version})
  if(NOT LUA_${version}_FOUND)
    continue()
  endif()
  batchapi_add_module(module_${version} ${CMAKE_BINARY_DIR}/lib/${version}/batchapi "${LUA_${version}_INCLUDE_DIRS}")
  install(TARGETS module_${version} COMPONENT modules ${readable}
    LIBRARY DESTINATION lib/${CMAKE_LIBRARY_ARCHITECTURE}/lua/${version}/batchapi)
  if(NOT lua_first)
    set(lua_first ${version})
    install(DIRECTORY lua/batchapi DESTINATION share/lua/${version} COMPONENT modules
      FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ FILES_MATCHING PATTERN "*.lua")
  else() # one copy for all: the files are the same
    file(MAKE_DIRECTORY ${stage}/${version})
    file(CREATE_LINK ../${lua_first}/batchapi ${stage}/${version}/batchapi SYMBOLIC)
    install(FILES ${stage}/${version}/batchapi DESTINATION share/lua/${version} COMPONENT modules)
  endif()
endforeach()

# What policy wants of every package.
execute_process(COMMAND date -u -R -d @$ENV{SOURCE_DATE_EPOCH}
  OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(maintainer "The batchapi authors <batchapi@example.org>")
file(READ LICENSE license)
string(REGEX REPLACE "^MIT License\n\nCopyright \\(c\\) ([^\n]*)\n\n" "" license "${license}")
set(holder ${CMAKE_MATCH_1})
string(STRIP "${license}" license)
string(REPLACE "\n\n" "\n.\n" license "${license}")
string(REPLACE "\n" "\n " license "${license}")
file(WRITE ${stage}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: batchapi

Files: *
Copyright: ${holder}
License: Expat

License: Expat
 ${license}
")
foreach(package lua-batchapi lua-batchapi-doc)
  set(place ${stage}/${package})
  file(WRITE ${place}/changelog.Debian "lua-batchapi (${PROJECT_VERSION}-1) unstable; urgency=medium

  * Release ${PROJECT_VERSION}: CHANGELOG.md says what is new.

 -- ${maintainer}  ${date}
")
  execute_process(COMMAND gzip -9nf ${place}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)
endforeach()
install(FILES ${stage}/lua-batchapi/changelog.Debian.gz ${stage}/copyright
  DESTINATION share/doc/lua-batchapi COMPONENT modules)
install(FILES ${stage}/lua-batchapi-doc/changelog.Debian.gz ${stage}/copyright
  DESTINATION share/doc/lua-batchapi-doc COMPONENT doc)
install(FILES README.md CHANGELOG.md DESTINATION share/doc/lua-batchapi-doc COMPONENT doc)
install(DIRECTORY docs DESTINATION share/doc/lua-batchapi-doc COMPONENT doc
  FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
install(DIRECTORY examples DESTINATION share/doc/lua-batchapi-doc COMPONENT doc
  FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

# The command, with its completions, which it gives itself, and its manual page.
file(READ bin/batchapi command)
string(REPLACE "#!/usr/bin/env lua\n" "#!/usr/bin/lua5.4\n" command "${command}")
file(GENERATE OUTPUT ${stage}/batchapi CONTENT "${command}")
install(PROGRAMS ${stage}/batchapi DESTINATION bin COMPONENT modules)
add_custom_command(OUTPUT ${stage}/completion.fish DEPENDS module_5.4 bin/batchapi VERBATIM
  COMMAND ${CMAKE_SOURCE_DIR}/tools/cmake/completions ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/lib/5.4 ${stage})
add_custom_target(packages_command ALL DEPENDS ${stage}/completion.fish)
configure_file(docs/batchapi.1 ${stage}/batchapi.1 COPYONLY)
execute_process(COMMAND gzip -9nf ${stage}/batchapi.1 COMMAND_ERROR_IS_FATAL ANY)
install(FILES ${stage}/completion.bash DESTINATION share/bash-completion/completions RENAME batchapi COMPONENT modules)
install(FILES ${stage}/completion.zsh DESTINATION share/zsh/vendor-completions RENAME _batchapi COMPONENT modules)
install(FILES ${stage}/completion.fish DESTINATION share/fish/vendor_completions.d RENAME batchapi.fish COMPONENT modules)
install(FILES ${stage}/batchapi.1.gz DESTINATION share/man/man1 COMPONENT modules)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lua-batchapi)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT ${maintainer})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL modules doc)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SOURCE lua-batchapi)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_MODULES_PACKAGE_NAME lua-batchapi)
set(CPACK_DEBIAN_MODULES_PACKAGE_SECTION interpreters)
set(CPACK_DEBIAN_MODULES_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_MODULES_PACKAGE_DEPENDS lua5.4) # of the command; shlibdeps adds its own
set(CPACK_DEBIAN_MODULES_PACKAGE_RECOMMENDS "ca-certificates, lua-argparse")
set(CPACK_DEBIAN_MODULES_PACKAGE_SUGGESTS "lua-cjson, lua-batchapi-doc")
set(CPACK_COMPONENT_MODULES_DESCRIPTION "client for the batch APIs of the world, for Lua
Hand batchapi any number of requests and get every result back: nothing lost,
nothing submitted twice, nothing read whole into memory. It speaks to OpenAI,
Asana, FactSet, Robotoff, their siblings and services described in a table.")
set(CPACK_DEBIAN_DOC_PACKAGE_NAME lua-batchapi-doc)
set(CPACK_DEBIAN_DOC_PACKAGE_SECTION doc)
set(CPACK_DEBIAN_DOC_PACKAGE_ARCHITECTURE all)
set(CPACK_COMPONENT_DOC_DESCRIPTION "client for the batch APIs of the world, for Lua (pages and examples)
Hand batchapi any number of requests and get every result back: nothing lost,
nothing submitted twice, nothing read whole into memory. This package has the
pages of its documentation and the examples.")
include(CPack)
