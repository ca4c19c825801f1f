// SPDX-License-Identifier: Apache-2.0
// The capability TLVs inside an OPEN (RFC 5492 §4).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "bgp/wire/error.hpp"
#include "bgp/wire/open.hpp"

namespace anyvip::bgp::wire {

/// Adds the TLVs of one parameter to `capabilities`, which may hold those of earlier parameters.
/// Unknown codes, and known ones of wrong length that do not decide about the session, only leave
/// their code in `other_codes`.
[[nodiscard]] std::optional<Error> decode_capabilities(std::span<const std::uint8_t> octets,
                                                       Capabilities& capabilities);

} // namespace anyvip::bgp::wire
