// SPDX-License-Identifier: Apache-2.0
// Bodies of UPDATE on any session.
#include "test/fuzz/wire_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    anyvip::bgp::wire::fuzz::update({data, size});
    return 0;
}
