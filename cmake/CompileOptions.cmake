# SPDX-License-Identifier: Apache-2.0
# Warnings, hardening and sanitizers, carried by one interface target that every target of ours links.
# Generated code does not link it: its warnings are not ours to fix.
add_library(e4c_options INTERFACE)
target_include_directories(e4c_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_options(e4c_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wundef -Wno-missing-field-initializers
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi>)
# A unity build puts the files of a target together eight at a time: the headers of gRPC, CLI11 and GoogleTest cost more than our code. Names in
# unnamed namespaces must therefore differ within a target; that they stand in a file of their own is not seen by this warning.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
if(CMAKE_UNITY_BUILD)
  target_compile_options(e4c_options INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
endif()
if(EXT4CRYPT_WERROR)
  target_compile_options(e4c_options INTERFACE -Werror)
endif()

add_compile_options(-fstack-protector-strong)
add_link_options(-Wl,-z,relro,-z,now)
if(EXT4CRYPT_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
else()
  add_compile_options($<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()

include(CheckPIESupported)
check_pie_supported()
