// SPDX-License-Identifier: Apache-2.0
// UPDATE both ways (RFC 4271 §4.3, RFC 4760, RFC 7606): what we send, and how what we receive is
// judged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bgp/limits.hpp"
#include "bgp/types.hpp"
#include "bgp/wire/attributes.hpp"
#include "bgp/wire/error.hpp"
#include "bgp/wire/open.hpp"

namespace anyvip::bgp::wire {

// ---- out

/// What encoding depends on beyond the route itself.
struct EncodeContext {
    Asn local_asn;
    bool is_internal = false; ///< iBGP: empty AS_PATH, LOCAL_PREF
    bool four_octet_asn =
        true; ///< false: AS_TRANS and AS4_PATH towards a two-octet speaker (RFC 6793 §4.2.2)
    bool only_to_customer = false; ///< adds ONLY_TO_CUSTOMER with our number (RFC 9234 §5)

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, local_asn);
        archive.field(2, is_internal);
        archive.field(3, four_octet_asn);
        archive.field(4, only_to_customer);
    }
};

/// One UPDATE that announces as many of `prefixes` (not empty, one family, same attributes) as fit
/// into 4096 octets, appended to `out`. Returns how many were taken, at least one: the attributes
/// must leave room for that (about 900 communities do). IPv4 with an IPv4 next hop is classic NLRI;
/// everything else is MP_REACH_NLRI.
std::size_t encode_announce(std::span<const Prefix> prefixes,
                            const PathAttributes& attributes,
                            const EncodeContext& context,
                            std::vector<std::uint8_t>& out);

/// One UPDATE that withdraws as many of `prefixes` (not empty, one family) as fit. `multiprotocol`:
/// MP_UNREACH_NLRI also for IPv4, as it is announced on sessions with an IPv6 next hop (RFC 8950).
/// IPv6 is always MP_UNREACH_NLRI.
std::size_t encode_withdraw(std::span<const Prefix> prefixes,
                            bool multiprotocol,
                            std::vector<std::uint8_t>& out);

/// End-of-RIB (RFC 4724 §2): 23 octets for IPv4 unicast, empty MP_UNREACH_NLRI otherwise.
void encode_end_of_rib(Family family, std::vector<std::uint8_t>& out);

// ---- in

/// What decoding depends on: the outcome of the OPEN exchange and of the configuration.
struct DecodeContext {
    Asn local_asn;
    Asn peer_asn;
    bool is_internal = false;
    bool four_octet_asn = true;
    std::array<bool, 2> add_path{}; ///< by Family: NLRI carry path identifiers (RFC 7911)
    std::array<bool, 2> families{true, false}; ///< by Family: negotiated
    bool extended_next_hop = false;            ///< RFC 8950 negotiated for IPv4 unicast
    bool strict = false;                       ///< `strict_rfc4271`: reset where RFC 4271 does
    /// Ours, where one is configured and the peer is external (RFC 9234).
    std::optional<std::uint8_t> role{};

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, local_asn);
        archive.field(2, peer_asn);
        archive.field(3, is_internal);
        archive.field(4, four_octet_asn);
        archive.field(5, add_path);
        archive.field(6, families);
        archive.field(7, extended_next_hop);
        archive.field(8, strict);
        archive.field(9, role);
    }
};

/// One NLRI with its path identifier (0 without ADD-PATH).
struct Nlri {
    Prefix prefix;
    std::uint32_t path_id = 0;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, prefix);
        archive.field(2, path_id);
    }

    friend constexpr auto operator<=>(const Nlri&, const Nlri&) = default;
};

/// NLRI octets whose structure has been checked: iterating can neither fail nor overrun. Allocates
/// nothing.
class NlriRange {
  public:
    constexpr NlriRange() = default;

    /// Invariant: every length octet fits `family` and the octets behind it are there.
    constexpr NlriRange(std::span<const std::uint8_t> checked, Family family, bool add_path)
        : octets_(checked), family_(family), add_path_(add_path) {}

    [[nodiscard]] constexpr bool empty() const { return octets_.empty(); }

    [[nodiscard]] constexpr Family family() const { return family_; }

    /// Number of prefixes; linear.
    [[nodiscard]] std::size_t count() const;

    /// Removes and returns the first; nullopt at the end.
    [[nodiscard]] std::optional<Nlri> pop_front();

  private:
    std::span<const std::uint8_t> octets_;
    Family family_ = Family::Ipv4;
    bool add_path_ = false;
};

/// A received UPDATE, judged. Spans point into the message.
struct Update {
    /// The strongest of all errors: Reset: answer with `errors.front()` (the strongest is first);
    /// AfiSafiDisable: forget and ignore family `disabled`; TreatAsWithdraw: `announced` counts as
    /// withdrawn; Discard: attributes were dropped.
    Severity verdict = Severity::None;
    std::vector<Error> errors; ///< strongest first, at most 16; empty in the normal case
    std::optional<Family> disabled;

    NlriRange withdrawn;    ///< Withdrawn Routes, IPv4
    NlriRange announced;    ///< classic NLRI, IPv4
    NlriRange mp_withdrawn; ///< MP_UNREACH_NLRI of a negotiated family
    NlriRange mp_announced; ///< MP_REACH_NLRI of a negotiated family
    std::optional<Family> end_of_rib;

    std::optional<IpAddress> next_hop;  ///< NEXT_HOP, of `announced`
    std::optional<NextHop> mp_next_hop; ///< of `mp_announced`; nullopt when it is not usable
    std::optional<std::uint8_t> origin;
    std::optional<std::uint32_t> med;
    std::optional<std::uint32_t> local_pref;
    std::uint32_t path_length = 0; ///< AS_PATH length as for path selection: an AS_SET counts one
    std::span<const std::uint8_t>
        as_path; ///< raw segments, structure checked; AS numbers of 4 or 2 octets by session
    /// AS4_PATH of a two-octet peer, checked; empty when it is to be ignored. `as_numbers` leaves
    /// out its confederation segments.
    std::span<const std::uint8_t> as4_path;
    std::uint32_t as4_path_length = 0;                  ///< counted as `path_length` is
    std::span<const std::uint8_t> communities;          ///< raw, multiple of 4
    std::span<const std::uint8_t> extended_communities; ///< raw, multiple of 8
    std::span<const std::uint8_t> large_communities;    ///< raw, multiple of 12
};

/// Body of an UPDATE (behind the header). Never fails: what is wrong is in the result. Linear in
/// the size of the message; allocates only for errors.
[[nodiscard]] Update decode_update(std::span<const std::uint8_t> body,
                                   const DecodeContext& context);

/// The AS numbers of a checked AS_PATH in order, sets flattened, confederation segments left out;
/// at most `limit`.
[[nodiscard]] std::vector<Asn> as_numbers(std::span<const std::uint8_t> as_path,
                                          bool four_octet_asn,
                                          std::size_t limit = limits::as_numbers);

[[nodiscard]] bool has_community(const Update& update, Community community);
[[nodiscard]] std::vector<LargeCommunity>
large_communities_of(const Update& update, std::size_t limit = limits::large_communities);

} // namespace anyvip::bgp::wire
