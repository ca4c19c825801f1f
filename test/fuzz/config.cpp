// SPDX-License-Identifier: Apache-2.0
// Configuration files.
#include "test/fuzz/config_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    anyvip::cmd::fuzz::config({data, size});
    return 0;
}
