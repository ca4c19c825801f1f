// SPDX-License-Identifier: Apache-2.0
// What HAProxy answers.
#include "test/fuzz/service_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    anyvip::health::fuzz::haproxy_answer({data, size});
    return 0;
}
