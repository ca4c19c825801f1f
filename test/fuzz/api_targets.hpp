// SPDX-License-Identifier: Apache-2.0
// What must hold for any octets that a client of the API sends. Called by the fuzzer, and by the
// unit tests with the corpus and with mutations.
#pragma once

#include <cstdint>
#include <span>

namespace anyvip::cmd::fuzz {

/// Requests with 00 00 between them, to one daemon: a first octet (bit 0: the public listener, bit
/// 1: the disk is full), then what the client sends.
void api(std::span<const std::uint8_t> input);

} // namespace anyvip::cmd::fuzz
