// SPDX-License-Identifier: Apache-2.0
// Streams of messages.
#include "test/fuzz/wire_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    anyvip::bgp::wire::fuzz::framer({data, size});
    return 0;
}
