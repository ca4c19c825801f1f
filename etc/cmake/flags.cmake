# SPDX-License-Identifier: Apache-2.0
# Compiler and linker flags of our own code; libraries are SYSTEM and escape the warnings.
add_library(anyvip_flags INTERFACE)
target_include_directories(anyvip_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(anyvip_flags INTERFACE ANYVIP_VERSION="${PROJECT_VERSION}")
target_compile_options(anyvip_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor
    -Woverloaded-virtual -Wformat=2 -Wimplicit-fallthrough -Wmissing-declarations -Wswitch-enum
    $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op>
    $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations> # libstdc++'s own, within std::stable_sort
    $<$<BOOL:${ANYVIP_WERROR}>:-Werror>
    -fstack-protector-strong -ffunction-sections -fdata-sections)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i.86")
    target_compile_options(anyvip_flags INTERFACE -fcf-protection)
endif()
target_compile_definitions(anyvip_flags INTERFACE _GLIBCXX_ASSERTIONS)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT ANYVIP_SANITIZE)
    target_compile_options(anyvip_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(ANYVIP_SANITIZE)
    target_compile_options(anyvip_flags INTERFACE -fsanitize=${ANYVIP_SANITIZE} -fno-omit-frame-pointer
                                                  -fno-sanitize-recover=undefined)
    target_link_options(anyvip_flags INTERFACE -fsanitize=${ANYVIP_SANITIZE})
endif()
if(ANYVIP_COVERAGE)
    target_compile_options(anyvip_flags INTERFACE --coverage)
    target_link_options(anyvip_flags INTERFACE --coverage)
endif()
target_link_options(anyvip_flags INTERFACE -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT (ANYVIP_SANITIZE OR ANYVIP_FUZZ OR ANYVIP_COVERAGE))
    # Of functions that came out the same, as those of templates do, one is enough: 5 % less to hold in memory.
    set(fold_functions -fuse-ld=gold -Wl,--icf=safe -Wl,--rosegment)
    include(CheckLinkerFlag)
    check_linker_flag(CXX "${fold_functions}" ANYVIP_CAN_FOLD_FUNCTIONS)
    if(ANYVIP_CAN_FOLD_FUNCTIONS)
        target_link_options(anyvip_flags INTERFACE ${fold_functions})
    endif()
endif()

# Third-party code. Asio and Beast are compiled once here instead of in every file that includes them.
file(WRITE ${CMAKE_BINARY_DIR}/boost_asio_src.cpp.in "#include <boost/asio/impl/src.hpp>\n")
file(WRITE ${CMAKE_BINARY_DIR}/boost_beast_src.cpp.in "#include <boost/beast/src.hpp>\n")
configure_file(${CMAKE_BINARY_DIR}/boost_asio_src.cpp.in ${CMAKE_BINARY_DIR}/boost_asio_src.cpp COPYONLY)
configure_file(${CMAKE_BINARY_DIR}/boost_beast_src.cpp.in ${CMAKE_BINARY_DIR}/boost_beast_src.cpp COPYONLY)
add_library(anyvip_asio STATIC EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/boost_asio_src.cpp)
target_compile_definitions(anyvip_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
                                              BOOST_ASIO_DISABLE_VISIBILITY)
if(ANYVIP_SANITIZE STREQUAL "thread")
    # ThreadSanitizer does not know fences; Asio's are not needed beside its mutexes.
    target_compile_definitions(anyvip_asio PUBLIC BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()
target_link_libraries(anyvip_asio PUBLIC Boost::headers Threads::Threads)
add_library(anyvip_beast STATIC EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/boost_beast_src.cpp)
target_compile_definitions(anyvip_beast PUBLIC BOOST_BEAST_SEPARATE_COMPILATION)
target_link_libraries(anyvip_beast PUBLIC anyvip_asio)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(anyvip_asio PRIVATE -Os)
    target_compile_options(anyvip_beast PRIVATE -Os)
endif()
if(ANYVIP_SANITIZE)
    foreach(library anyvip_asio anyvip_beast)
        target_compile_options(${library} PRIVATE -fsanitize=${ANYVIP_SANITIZE})
    endforeach()
endif()
add_library(anyvip_json ALIAS Boost::json)
add_library(anyvip_options ALIAS Boost::program_options)
add_library(anyvip_nl ALIAS PkgConfig::NL)

find_package(OpenSSL REQUIRED)
# Its headers only: health/probe/openssl.hpp loads the library when a check needs it.
add_library(anyvip_ssl INTERFACE)
target_include_directories(anyvip_ssl SYSTEM INTERFACE ${OPENSSL_INCLUDE_DIR})
target_link_libraries(anyvip_ssl INTERFACE ${CMAKE_DL_LIBS})
# Header only, not Debian's shared library: one file includes it, and the daemon maps one library less.
find_path(TOML_INCLUDE toml++/toml.h REQUIRED)
add_library(anyvip_toml INTERFACE)
target_include_directories(anyvip_toml SYSTEM INTERFACE ${TOML_INCLUDE})
