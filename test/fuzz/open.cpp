// SPDX-License-Identifier: Apache-2.0
// Bodies of OPEN.
#include "test/fuzz/wire_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    anyvip::bgp::wire::fuzz::open({data, size});
    return 0;
}
