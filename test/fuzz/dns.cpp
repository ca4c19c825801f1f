// SPDX-License-Identifier: Apache-2.0
// What a DNS server answers.
#include "test/fuzz/service_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    anyvip::health::fuzz::dns_answer({data, size});
    return 0;
}
