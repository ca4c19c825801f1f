// SPDX-License-Identifier: Apache-2.0
// The walk over received prefixes, first as a check, then as an iteration that cannot fail.
#include "bgp/wire/nlri.hpp"

#include <algorithm>
#include <array>

#include "bgp/wire/reader.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp::wire {

namespace {

constexpr std::size_t path_id_octets = 4; // RFC 7911 §3

} // namespace

void write_prefix(Writer& writer, const Prefix& prefix) {
    writer.u8(prefix.length_bits());
    writer.octets(prefix.address().octets().first(prefix_octets(prefix.length_bits())));
}

NlriCheck check_nlri(std::span<const std::uint8_t> octets, Family family, bool add_path) {
    NlriCheck check;
    const std::size_t max_bits = host_length(family);
    const std::size_t id_octets = add_path ? path_id_octets : 0;
    std::size_t at = 0;
    while (at < octets.size()) {
        at += id_octets;
        if (at >= octets.size() || octets[at] > max_bits) {
            return {.is_well_formed = false};
        }
        const std::size_t length_bits = octets[at];
        const std::size_t end = at + 1 + prefix_octets(length_bits);
        if (end > octets.size()) {
            return {.is_well_formed = false};
        }
        if (family == Family::Ipv4) {
            check.has_multicast |= length_bits >= 4 && (octets[at + 1] & 0xF0) == 0xE0;
        } else {
            check.has_multicast |= length_bits >= 8 && octets[at + 1] == 0xFF;
        }
        at = end;
    }
    return check;
}

std::size_t NlriRange::count() const {
    const std::size_t id_octets = add_path_ ? path_id_octets : 0;
    std::size_t total = 0;
    for (std::size_t at = id_octets; at < octets_.size(); ++total) {
        at += 1 + prefix_octets(octets_[at]) + id_octets;
    }
    return total;
}

std::optional<Nlri> NlriRange::pop_front() {
    if (octets_.empty()) {
        return std::nullopt;
    }
    Reader reader(octets_);
    Nlri nlri;
    nlri.path_id = add_path_ ? reader.u32() : 0;
    const std::uint8_t length_bits = reader.u8();
    const auto octets = reader.take(prefix_octets(length_bits));
    std::array<std::uint8_t, 16> address{};
    std::ranges::copy(octets, address.begin());
    const auto sized = std::span(address).first(family_ == Family::Ipv4 ? 4U : 16U);
    // RFC 4271 §4.3: bits behind the length are irrelevant; `of` clears them.
    nlri.prefix = Prefix::of(IpAddress::from_octets(sized), length_bits);
    octets_ = reader.rest();
    return nlri;
}

} // namespace anyvip::bgp::wire
