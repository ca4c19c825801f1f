// SPDX-License-Identifier: Apache-2.0
// Names of NOTIFICATION codes and of path attributes, as the RFCs and IANA spell them.
#include <array>
#include <span>
#include <string_view>

#include "bgp/wire/notification.hpp"
#include "bgp/wire/registry.hpp"

namespace anyvip::bgp::wire {

namespace {

/// Position is the number; an empty name is an unassigned one.
using Names = std::span<const std::string_view>;

// RFC 4271 §6.1
constexpr std::array<std::string_view, 4> header_subcodes{
    "", "Connection Not Synchronized", "Bad Message Length", "Bad Message Type"};

// RFC 4271 §6.2, RFC 5492 §5, RFC 9234 §4.2
constexpr std::array<std::string_view, 12> open_subcodes{"",
                                                         "Unsupported Version Number",
                                                         "Bad Peer AS",
                                                         "Bad BGP Identifier",
                                                         "Unsupported Optional Parameter",
                                                         "Authentication Failure",
                                                         "Unacceptable Hold Time",
                                                         "Unsupported Capability",
                                                         "",
                                                         "",
                                                         "",
                                                         "Role Mismatch"};

// RFC 4271 §6.3
constexpr std::array<std::string_view, 12> update_subcodes{"",
                                                           "Malformed Attribute List",
                                                           "Unrecognized Well-known Attribute",
                                                           "Missing Well-known Attribute",
                                                           "Attribute Flags Error",
                                                           "Attribute Length Error",
                                                           "Invalid ORIGIN Attribute",
                                                           "AS Routing Loop",
                                                           "Invalid NEXT_HOP Attribute",
                                                           "Optional Attribute Error",
                                                           "Invalid Network Field",
                                                           "Malformed AS_PATH"};

// RFC 6608 §4
constexpr std::array<std::string_view, 4> fsm_subcodes{
    "",
    "Receive Unexpected Message in OpenSent State",
    "Receive Unexpected Message in OpenConfirm State",
    "Receive Unexpected Message in Established State"};

// RFC 4486 §3, RFC 8538 §3, RFC 9384 §3
constexpr std::array<std::string_view, 11> cease_subcodes{"",
                                                          "Maximum Number of Prefixes Reached",
                                                          "Administrative Shutdown",
                                                          "Peer De-configured",
                                                          "Administrative Reset",
                                                          "Connection Rejected",
                                                          "Other Configuration Change",
                                                          "Connection Collision Resolution",
                                                          "Out of Resources",
                                                          "Hard Reset",
                                                          "BFD Down"};

// RFC 7313 §5
constexpr std::array<std::string_view, 2> route_refresh_subcodes{"", "Invalid Message Length"};

struct CodeNames {
    std::string_view name;
    Names subcodes;
};

constexpr std::array<CodeNames, 9> codes{{
    {"", {}},
    {"Message Header Error", header_subcodes},
    {"OPEN Message Error", open_subcodes},
    {"UPDATE Message Error", update_subcodes},
    {"Hold Timer Expired", {}},
    {"Finite State Machine Error", fsm_subcodes},
    {"Cease", cease_subcodes},
    {"ROUTE-REFRESH Message Error", route_refresh_subcodes},
    {"Send Hold Timer Expired", {}},
}};

struct AttributeName {
    AttributeType type;
    std::string_view name;
};

constexpr std::array attribute_names{
    AttributeName{AttributeType::Origin, "ORIGIN"},
    AttributeName{AttributeType::AsPath, "AS_PATH"},
    AttributeName{AttributeType::NextHop, "NEXT_HOP"},
    AttributeName{AttributeType::MultiExitDisc, "MULTI_EXIT_DISC"},
    AttributeName{AttributeType::LocalPref, "LOCAL_PREF"},
    AttributeName{AttributeType::AtomicAggregate, "ATOMIC_AGGREGATE"},
    AttributeName{AttributeType::Aggregator, "AGGREGATOR"},
    AttributeName{AttributeType::Communities, "COMMUNITIES"},
    AttributeName{AttributeType::OriginatorId, "ORIGINATOR_ID"},
    AttributeName{AttributeType::ClusterList, "CLUSTER_LIST"},
    AttributeName{AttributeType::MpReachNlri, "MP_REACH_NLRI"},
    AttributeName{AttributeType::MpUnreachNlri, "MP_UNREACH_NLRI"},
    AttributeName{AttributeType::ExtendedCommunities, "EXTENDED COMMUNITIES"},
    AttributeName{AttributeType::As4Path, "AS4_PATH"},
    AttributeName{AttributeType::As4Aggregator, "AS4_AGGREGATOR"},
    AttributeName{AttributeType::LargeCommunities, "LARGE_COMMUNITY"},
    AttributeName{AttributeType::OnlyToCustomer, "ONLY_TO_CUSTOMER"},
};

} // namespace

std::string name(std::uint8_t code, std::uint8_t subcode) {
    if (code == 0 || code >= codes.size()) {
        return "code " + std::to_string(code) + "/" + std::to_string(subcode);
    }
    const CodeNames& known = codes[code];
    std::string text(known.name);
    if (subcode == 0) {
        return text; // RFC 4271 §4.5: zero is "no appropriate subcode"
    }
    text += '/';
    if (subcode < known.subcodes.size() && !known.subcodes[subcode].empty()) {
        return text.append(known.subcodes[subcode]);
    }
    return text + std::to_string(subcode);
}

std::string attribute_name(std::uint8_t type) {
    for (const AttributeName& known : attribute_names) {
        if (static_cast<std::uint8_t>(known.type) == type) {
            return std::string(known.name);
        }
    }
    return "attribute " + std::to_string(type);
}

} // namespace anyvip::bgp::wire
