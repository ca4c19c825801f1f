// SPDX-License-Identifier: Apache-2.0
// Collects what is wrong with one UPDATE and decides what follows from it (RFC 7606 §3, §5).
#pragma once

#include <optional>

#include "bgp/wire/attribute.hpp"
#include "bgp/wire/error.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp::wire {

/// Lives for one `decode_update`; keeps `update.errors` sorted and `update.verdict` the strongest.
class UpdateJudge {
  public:
    UpdateJudge(const DecodeContext& decode_context, Update& judged)
        : context(decode_context), update(judged) {}

    const DecodeContext& context;
    Update& update;

    // What rules about the message as a whole have to know of single attributes.
    bool has_empty_reach = false;      ///< a well-formed MP_REACH_NLRI without routes
    bool has_plain_aggregator = false; ///< a two-octet AGGREGATOR whose AS is not AS_TRANS
    bool has_as4_aggregator = false;
    std::optional<Asn> only_to_customer; ///< read only where a role is configured

    /// An error for which RFC 4271 or RFC 4760 resets: with `strict_rfc4271` so do we.
    void fault(Error error);

    /// An error that never resets: later RFCs brought it, or it is none of the session's.
    void note(Error error);

    /// A multiprotocol attribute of `family` that cannot be understood (RFC 4760 §7). Nothing is
    /// to be disabled when that family is not in use.
    void multiprotocol_fault(Error error, AfiSafi family);

    /// RFC 7606 §5.2: the strongest error becomes a reset.
    void escalate();
};

/// The family of an AFI and SAFI that this session negotiated.
[[nodiscard]] std::optional<Family> negotiated_family(AfiSafi family, const DecodeContext& context);

} // namespace anyvip::bgp::wire
