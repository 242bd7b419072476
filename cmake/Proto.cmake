# SPDX-License-Identifier: Apache-2.0
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# e4c_add_proto(TARGET PROTO): a static library of PROTO's messages and gRPC stubs. PROTO is relative to proto/.
function(e4c_add_proto target proto)
  set(out ${CMAKE_CURRENT_BINARY_DIR})
  string(REGEX REPLACE "\\.proto$" "" stem ${proto})
  set(sources ${out}/${stem}.pb.cc ${out}/${stem}.grpc.pb.cc)
  set(headers ${out}/${stem}.pb.h ${out}/${stem}.grpc.pb.h)
  add_custom_command(
    OUTPUT ${sources} ${headers}
    COMMAND protobuf::protoc --proto_path=${CMAKE_CURRENT_SOURCE_DIR} --cpp_out=${out} --grpc_out=${out}
            --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
    VERBATIM)
  add_library(${target} STATIC ${sources} ${headers})
  # SYSTEM: our warnings do not apply to generated headers.
  target_include_directories(${target} SYSTEM PUBLIC ${out})
  target_link_libraries(${target} PUBLIC gRPC::grpc++ protobuf::libprotobuf)
endfunction()
