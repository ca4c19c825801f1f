// SPDX-License-Identifier: Apache-2.0
// Requests to the API.
#include "test/fuzz/api_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    anyvip::cmd::fuzz::api({data, size});
    return 0;
}
