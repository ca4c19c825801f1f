// SPDX-License-Identifier: Apache-2.0
// What must hold for any octets that a peer sends. Called by the fuzzers, and by the unit tests
// with the corpora and with mutations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "bgp/wire/framer.hpp"
#include "bgp/wire/notification.hpp"
#include "bgp/wire/open.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp::wire::fuzz {

using Octets = std::span<const std::uint8_t>;

inline void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

inline void require_error(const Error& error, std::uint8_t code) {
    require(error.code == code, "the error belongs to the message");
    require(error.data.size() <= max_message_octets - 21, "the data fits into a NOTIFICATION");
    require(!error.rule.empty() && !error.detail.empty(), "the error says what it is");
}

/// First octet: RFC 7313 negotiated or not; the rest is the stream.
inline void framer(Octets input) {
    if (input.empty()) {
        return;
    }
    const bool enhanced = (input.front() & 1) != 0;
    Octets stream = input.subspan(1);
    for (;;) {
        const auto frame = next_frame(stream, enhanced);
        if (!frame) {
            require_error(frame.error(), frame.error().code == 7 ? 7 : 1);
            require(frame.error().severity == Severity::Reset, "header errors reset");
            return;
        }
        if (!*frame) {
            require(stream.size() < max_message_octets, "a whole message is never waited for");
            return;
        }
        const Octets whole = (*frame)->whole;
        require(whole.data() == stream.data() && whole.size() >= header_octets &&
                    whole.size() <= max_message_octets,
                "the message lies at the start of the stream");
        require((*frame)->body.size() + header_octets == whole.size(), "the body is the rest");
        const auto cut = next_frame(stream.first(whole.size() - 1), enhanced);
        require(cut && !*cut, "one octet less is not a message yet");
        stream = stream.subspan(whole.size());
    }
}

/// The input is the body of an OPEN.
inline void open(Octets body) {
    auto decoded = decode_open(body);
    if (!decoded) {
        require_error(decoded.error(), 2);
        return;
    }
    require(decoded->version == 4, "only version 4 passes");
    if (decoded->capabilities) {
        Capabilities& capabilities = *decoded->capabilities;
        require(capabilities.other_codes.size() <= 64, "other codes are bounded");
        // Not encoded: what was not understood, and the second of two roles.
        capabilities.other_codes.clear();
        capabilities.has_conflicting_roles = false;
        if (encode_capabilities(capabilities).size() > 253) {
            return;
        }
    }
    const auto message = encode_open(*decoded);
    const auto frame = next_frame(message, false);
    require(frame && *frame && (*frame)->type == MessageType::Open, "we send valid headers");
    const auto again = decode_open((*frame)->body);
    require(again && *again == *decoded, "decoding what was encoded gives the same OPEN");
}

inline bool is_plain(const std::string& text) {
    return std::ranges::none_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

/// The input is the body of a NOTIFICATION, and the text of one of ours.
inline void notification(Octets body) {
    const std::string text(body.begin(), body.end());
    const Notification ours = cease(Cease::AdministrativeShutdown, text);
    require(ours.data.size() <= 129, "shutdown messages have at most 128 octets");
    require(is_plain(describe_data(ours)), "shutdown messages are plain text");

    const auto decoded = decode_notification(body);
    require(decoded.has_value() == (body.size() >= 2), "two octets make a NOTIFICATION");
    if (!decoded || body.size() > max_message_octets - header_octets) {
        return;
    }
    require(is_plain(describe_data(*decoded)), "nothing from the peer steers a terminal");
    require(!name(decoded->code, decoded->subcode).empty(), "every code has a name");
    const auto message = encode_notification(*decoded);
    require(std::ranges::equal(Octets(message).subspan(header_octets), body),
            "encoding gives the octets back");
}

inline DecodeContext context_of(std::uint8_t bits) {
    const auto bit = [bits](int number) { return (bits >> number & 1) != 0; };
    DecodeContext context;
    context.local_asn = Asn{65010};
    context.is_internal = bit(0);
    context.peer_asn = context.is_internal ? context.local_asn : Asn{65001};
    context.four_octet_asn = bit(1);
    context.add_path = {bit(2), bit(3)};
    context.families = {bit(4), bit(5)};
    context.extended_next_hop = bit(6);
    context.strict = bit(7);
    return context;
}

inline std::vector<Prefix> prefixes_of(NlriRange range) {
    const std::size_t count = range.count();
    const Family family = range.family();
    std::vector<Prefix> prefixes;
    while (const auto nlri = range.pop_front()) {
        require(nlri->prefix.family() == family, "prefixes are of their range's family");
        prefixes.push_back(nlri->prefix);
    }
    require(prefixes.size() == count, "count() says how many there are");
    return prefixes;
}

inline void require_verdict(const Update& update, const DecodeContext& context) {
    Severity strongest = Severity::None;
    for (const Error& error : update.errors) {
        require_error(error, 3);
        strongest = std::max(strongest, error.severity);
    }
    require(update.errors.size() <= 16, "errors are bounded");
    require(update.verdict == strongest, "the strongest error decides");
    require(std::ranges::is_sorted(
                update.errors, std::ranges::greater(), [](const Error& e) { return e.severity; }),
            "the strongest error is first");
    require(update.verdict != Severity::AfiSafiDisable || update.disabled.has_value(),
            "there is a family to disable");
    require(!context.strict || update.verdict != Severity::AfiSafiDisable,
            "strict resets instead of disabling");
}

/// What was withdrawn can be said again.
inline void round_trip(const std::vector<Prefix>& prefixes, const DecodeContext& context) {
    if (prefixes.empty() || context.add_path[0] || context.add_path[1]) {
        return;
    }
    std::vector<std::uint8_t> message;
    const std::size_t taken = encode_withdraw(prefixes, false, message);
    require(message.size() <= max_message_octets, "messages have at most 4096 octets");
    const Update again = decode_update(Octets(message).subspan(header_octets), context);
    const bool v4 = prefixes.front().family() == Family::Ipv4;
    require(again.verdict == Severity::None, "we send valid withdrawals");
    require(std::ranges::equal(prefixes_of(v4 ? again.withdrawn : again.mp_withdrawn),
                               std::span(prefixes).first(taken)),
            "decoding what was encoded gives the same routes");
}

/// First octet: the session; the rest is the body of an UPDATE.
inline void update(Octets input) {
    if (input.empty() || input.size() > max_message_octets - header_octets + 1) {
        return;
    }
    const DecodeContext context = context_of(input.front());
    const Update update = decode_update(input.subspan(1), context);
    require_verdict(update, context);

    std::size_t total = 0;
    for (const NlriRange& range :
         {update.withdrawn, update.announced, update.mp_withdrawn, update.mp_announced}) {
        const auto prefixes = prefixes_of(range);
        total += prefixes.size();
        round_trip(prefixes, context);
    }
    require(!update.end_of_rib || total == 0, "End-of-RIB has no routes");
    require(update.communities.size() % 4 == 0 && update.extended_communities.size() % 8 == 0 &&
                update.large_communities.size() % 12 == 0,
            "communities are whole");
    require(large_communities_of(update).size() <= 64, "large communities are bounded");
    require(as_numbers(update.as_path, context.four_octet_asn).size() <= 64, "paths are bounded");
    require(as_numbers(update.as4_path, true, 3).size() <= 3, "paths are bounded");
    static_cast<void>(has_community(update, graceful_shutdown));
    if (update.verdict < Severity::TreatAsWithdraw) {
        require(update.announced.empty() || (update.next_hop && update.origin),
                "usable IPv4 routes have their mandatory attributes");
        require(update.mp_announced.empty() || update.origin.has_value(),
                "usable multiprotocol routes have their mandatory attributes");
    }
}

} // namespace anyvip::bgp::wire::fuzz
