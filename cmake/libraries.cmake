# The libraries for C and C++: libfalconet.a and libfalconet.so, their headers, falconetConfig.cmake and falconet.pc.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Where things are installed: in a wheel below the package, else where the system keeps such files.
if(SKBUILD)
  set(to_include falconet/include)
  set(to_lib falconet/lib)
else()
  set(to_include ${CMAKE_INSTALL_INCLUDEDIR})
  set(to_lib ${CMAKE_INSTALL_LIBDIR})
endif()
set(to_cmake ${to_lib}/cmake/falconet)

file(GLOB api_sources CONFIGURE_DEPENDS cpp/api/*.cpp)
if(FALCONET_INFERENCE_ONLY)
  list(REMOVE_ITEM api_sources ${CMAKE_CURRENT_SOURCE_DIR}/cpp/api/learner.cpp)
else()
  list(REMOVE_ITEM api_sources ${CMAKE_CURRENT_SOURCE_DIR}/cpp/api/no_learner.cpp)
endif()
add_library(falconet_api OBJECT ${api_sources})
target_link_libraries(falconet_api PRIVATE falconet_flags)
target_include_directories(falconet_api PRIVATE cpp/include)
target_compile_definitions(falconet_api PRIVATE FALCONET_BUILDING FALCONET_VERSION="${FALCONET_VERSION}")

set(version_script ${CMAKE_CURRENT_SOURCE_DIR}/cmake/exports.map)
set(prelink ${CMAKE_CURRENT_SOURCE_DIR}/cmake/prelink.cmake)

# No versions in the file name: the interface only grows, and a wheel would hold the file once for each name.
add_library(falconet_shared SHARED $<TARGET_OBJECTS:falconet_api> ${core_objects})
add_library(falconet_static STATIC $<TARGET_OBJECTS:falconet_api> ${core_objects})
foreach(kind static shared)
  set_target_properties(falconet_${kind} PROPERTIES OUTPUT_NAME falconet EXPORT_NAME ${kind} LINKER_LANGUAGE CXX)
  target_include_directories(falconet_${kind} INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/cpp/include>
                                                        $<INSTALL_INTERFACE:${to_include}>)
  add_library(falconet::${kind} ALIAS falconet_${kind})
endforeach()
target_link_libraries(falconet_shared PRIVATE Threads::Threads)
target_link_libraries(falconet_static INTERFACE Threads::Threads)
add_library(falconet::falconet ALIAS falconet_static)

if(MSVC)
  set_target_properties(falconet_static PROPERTIES OUTPUT_NAME falconet_static)  # falconet.lib imports the DLL
  target_compile_definitions(falconet_shared INTERFACE FALCONET_SHARED)
elseif(FALCONET_SANITIZE)
  target_link_options(falconet_shared PRIVATE -fsanitize=${FALCONET_SANITIZE})
elseif(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  target_link_options(falconet_shared PRIVATE -Wl,--version-script=${version_script} -Wl,--gc-sections -Wl,-z,defs)
  set_target_properties(falconet_shared PROPERTIES LINK_DEPENDS ${version_script})
  # One object whose only names are the interface's, without what the interface does not reach.
  execute_process(COMMAND ${CMAKE_LINKER} --version OUTPUT_VARIABLE linker_version ERROR_QUIET)
  if(linker_version MATCHES "GNU ld" AND CMAKE_OBJCOPY)
    set(resolve "")
    if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND NOT CMAKE_CROSSCOMPILING)
      add_executable(resolve_relocations EXCLUDE_FROM_ALL cmake/resolve_relocations.cpp)
      add_dependencies(falconet_static resolve_relocations)
      set(resolve -DRESOLVE=$<TARGET_FILE:resolve_relocations>)
    endif()
    add_custom_command(
      TARGET falconet_static POST_BUILD
      COMMAND ${CMAKE_COMMAND} -DARCHIVE=$<TARGET_FILE:falconet_static> -DLINKER=${CMAKE_LINKER}
              -DOBJCOPY=${CMAKE_OBJCOPY} -DAR=${CMAKE_AR} -DHEADER=${CMAKE_CURRENT_SOURCE_DIR}/cpp/include/falconet/falconet.h
              ${resolve} -P ${prelink}
      VERBATIM)
    set_property(TARGET falconet_static PROPERTY LINK_DEPENDS ${prelink} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/sections.ld)
  endif()
elseif(APPLE)
  target_link_options(falconet_shared PRIVATE -Wl,-exported_symbol,_falconet_* -Wl,-dead_strip)
endif()

# --- what is installed ---

# What links the static library without a C++ compiler needs the C++ library by name.
set(cxx_libraries "")
foreach(library stdc++ c++ m)
  if(library IN_LIST CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
    list(APPEND cxx_libraries ${library})
  endif()
endforeach()
list(TRANSFORM cxx_libraries PREPEND "-l" OUTPUT_VARIABLE cxx_libraries_text)
list(JOIN cxx_libraries_text " " cxx_libraries_text)

install(TARGETS falconet_static falconet_shared EXPORT falconet
        ARCHIVE DESTINATION ${to_lib} LIBRARY DESTINATION ${to_lib} RUNTIME DESTINATION ${to_lib})
install(EXPORT falconet FILE falconetTargets.cmake NAMESPACE falconet:: DESTINATION ${to_cmake})
install(DIRECTORY cpp/include/falconet DESTINATION ${to_include})

configure_package_config_file(cmake/falconetConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/falconetConfig.cmake
                              INSTALL_DESTINATION ${to_cmake} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/falconetConfigVersion.cmake COMPATIBILITY SameMajorVersion)
configure_file(cmake/falconet.pc.in ${CMAKE_CURRENT_BINARY_DIR}/falconet.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/falconetConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/falconetConfigVersion.cmake
        DESTINATION ${to_cmake})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/falconet.pc DESTINATION ${to_lib}/pkgconfig)
