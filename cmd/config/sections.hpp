// SPDX-License-Identifier: Apache-2.0
// The sections of the file, one function each, in the order in which they depend on one another.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "cmd/config/table_reader.hpp"

namespace anyvip::cmd {

/// One [[peer]], [[check]], [[vip]] or [[hook]], or the [defaults.*] table of such.
struct Section {
    std::string label; ///< "[[peer]]" or "[defaults.peer]"
    Position where;
    const Table* own = nullptr;
    const Table* inherited = nullptr; ///< nullptr: none
    /// A defaults table: it has no name of its own and need not be complete.
    bool is_template = false;
};

/// Where each configured address stands, so that a VIP can be told that somebody has it already:
/// `the address of the peer "tor1"`. No two of them overlap.
using AddressUses = std::map<Prefix, std::string>;

void read_node(ReadContext& context, const Section& section, NodeConfig& node);
void read_daemon(ReadContext& context, const Section& section, DaemonConfig& daemon);
void read_drain(ReadContext& context, const Section& section, vip::DrainConfig& drain);
[[nodiscard]] HookConfig read_hook(ReadContext& context, const Section& section);
/// `node` decides which peers are internal.
[[nodiscard]] PeerEntry
read_peer(ReadContext& context, const Section& section, const NodeConfig& node);
[[nodiscard]] health::CheckConfig read_check(ReadContext& context, const Section& section);

inline constexpr std::array<std::string_view, 8> check_types{
    "tcp", "tls", "http", "dns", "exec", "haproxy", "process", "file"};
/// The keys that depend on `type`, one of `check_types`.
[[nodiscard]] health::Target read_target(TableReader& reader, std::string_view type);
/// `config` holds the peers and checks already; `used` the addresses of peers, node and former
/// VIPs, to which those of this one are added.
[[nodiscard]] vip::VipConfig
read_vip(ReadContext& context, const Section& section, const Config& config, AddressUses& used);

/// A program and its arguments; the program must be there and executable.
void read_command(TableReader& reader, std::vector<std::string>& command);
/// "" or a user that this machine knows.
void read_user(TableReader& reader, std::string& user);

/// Three kinds of communities from one list of texts.
struct Communities {
    std::vector<bgp::Community>& standard;
    std::vector<bgp::ExtendedCommunity>& extended;
    std::vector<bgp::LargeCommunity>& large;
};

void read_communities(TableReader& reader, const Communities& communities);

/// Most copies of our ASN that one key can ask for: node, VIP and peer together stay within one
/// AS_PATH segment of 255 numbers.
inline constexpr std::uint32_t most_prepends = 100;
inline constexpr std::size_t most_communities = 100;

} // namespace anyvip::cmd
