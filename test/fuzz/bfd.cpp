// SPDX-License-Identifier: Apache-2.0
// The life of one BFD session.
#include "test/fuzz/bfd_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    anyvip::bgp::bfd::fuzz::life({data, size});
    return 0;
}
