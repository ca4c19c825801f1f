// SPDX-License-Identifier: Apache-2.0
// The whole file: its sections in order of dependence, names that must be unique, all problems.
#include <algorithm>

#include "cmd/config/config.hpp"
#include "cmd/config/nearest.hpp"
#include "cmd/config/sections.hpp"
#include "cmd/config/toml.hpp"

namespace anyvip::cmd {

namespace {

[[nodiscard]] bool is_same_place(const PeerEntry& a, const PeerEntry& b) {
    return a.address ? a.address == b.address && a.scope == b.scope
                     : !b.address && !a.interface.empty() && a.interface == b.interface;
}

/// Inbound connections and BFD know a router by its address alone; what we dial has a port.
[[nodiscard]] bool is_told_apart_by_port(const PeerEntry& a, const PeerEntry& b) {
    return a.address && a.port != b.port && a.listen_port == 0 && b.listen_port == 0 && !a.bfd &&
           !b.bfd;
}

class FileReader {
  public:
    FileReader(ReadContext& context,
               const Table& root,
               std::optional<bgp::RouterId> router_id_in_use)
        : context_(context), reader_(context, "the file", {}, root),
          router_id_in_use_(router_id_in_use) {}

    [[nodiscard]] Config read() {
        if (const auto node = table("node", /*is_required=*/true)) {
            read_node(context_, *node, config_.node);
        }
        if (const auto daemon = table("daemon")) {
            read_daemon(context_, *daemon, config_.daemon);
        }
        if (const auto drain = table("drain")) {
            read_drain(context_, *drain, config_.drain);
        }
        defaults();
        peers();
        checks();
        vips();
        for (const Section& section : tables("hook")) {
            config_.hooks.push_back(read_hook(context_, section));
        }
        reader_.finish();
        return std::move(config_);
    }

  private:
    [[nodiscard]] std::optional<Section> table(std::string_view key, bool is_required = false);
    [[nodiscard]] std::vector<Section> tables(std::string_view key);
    void defaults();
    [[nodiscard]] std::optional<Section> template_of(std::string_view key) const;
    void peers();
    void checks();
    void vips();
    void
    check_unique(std::set<std::string>& names, const std::string& name, const Section& section);
    void check_key(const PeerEntry& peer, const Section& section);

    ReadContext& context_;
    TableReader reader_;
    std::optional<bgp::RouterId> router_id_in_use_;
    Config config_;
    const Table* defaults_ = nullptr;
    AddressUses used_;
};

std::optional<Section> FileReader::table(std::string_view key, bool is_required) {
    const Value* value = reader_.find(key);
    const std::string label = '[' + std::string(key) + ']';
    if (value == nullptr) {
        if (is_required) {
            context_.report({}, "the section " + label + " is missing");
        }
        return std::nullopt;
    }
    const Table* found = value->as<Table>();
    if (found == nullptr) {
        reader_.report(key, "must be a table, written as " + label);
        return std::nullopt;
    }
    return Section{.label = label, .where = value->where, .own = found};
}

std::vector<Section> FileReader::tables(std::string_view key) {
    const Value* value = reader_.find(key);
    if (value == nullptr) {
        return {};
    }
    const std::string label = "[[" + std::string(key) + "]]";
    const Array* array = value->as<Array>();
    if (array == nullptr) {
        reader_.report(key, "must be written with two brackets, as " + label);
        return {};
    }
    std::vector<Section> sections;
    const Value* inherited = defaults_ == nullptr ? nullptr : defaults_->find(key);
    for (const Value& element : *array) {
        if (const Table* own = element.as<Table>()) {
            sections.push_back({.label = label,
                                .where = element.where,
                                .own = own,
                                .inherited = inherited ? inherited->as<Table>() : nullptr});
        } else {
            reader_.report(element.where, key, "must hold only tables, written as " + label);
        }
    }
    return sections;
}

void FileReader::defaults() {
    const auto section = table("defaults");
    if (!section) {
        return;
    }
    defaults_ = section->own;
    TableReader reader(context_, "[defaults]", section->where, *section->own);
    for (const std::string_view key : {"peer", "check", "vip"}) {
        const Value* value = reader.find(key);
        if (value != nullptr && value->as<Table>() == nullptr) {
            reader.report(key, "must be a table, written as [defaults." + std::string(key) + ']');
        }
    }
    reader.finish();
}

std::optional<Section> FileReader::template_of(std::string_view key) const {
    const Value* value = defaults_ == nullptr ? nullptr : defaults_->find(key);
    if (value == nullptr || value->as<Table>() == nullptr) {
        return std::nullopt;
    }
    return Section{.label = "[defaults." + std::string(key) + ']',
                   .where = value->where,
                   .own = value->as<Table>(),
                   .inherited = nullptr,
                   .is_template = true};
}

void FileReader::check_unique(std::set<std::string>& names,
                              const std::string& name,
                              const Section& section) {
    if (!name.empty() && !names.insert(name).second) {
        const Value* own = section.own->find("name");
        context_.report(own == nullptr ? section.where : own->where,
                        "the name \"" + name + "\" is taken by another " + section.label);
    }
}

void FileReader::peers() {
    if (const auto section = template_of("peer")) {
        static_cast<void>(read_peer(context_, *section, config_.node));
    }
    std::set<std::string> names;
    for (const Section& section : tables("peer")) {
        PeerEntry peer = read_peer(context_, section, config_.node);
        check_unique(names, peer.session.name, section);
        if (std::ranges::any_of(config_.peers, [&](const PeerEntry& other) {
                return is_same_place(peer, other) && !is_told_apart_by_port(peer, other);
            })) {
            const Value* own = section.own->find(peer.address ? "address" : "interface");
            context_.report(own->where,
                            peer.address
                                ? "address belongs to another [[peer]] already; only with another "
                                  "port, listen_port = 0 and no bfd can both be told apart"
                                : "interface has another [[peer]] already; for several "
                                  "routers on one interface give their addresses");
        }
        check_key(peer, section);
        if (peer.address) {
            used_.emplace(Prefix::host(*peer.address),
                          "the address of the peer \"" + peer.session.name + '"');
        }
        config_.peers.push_back(std::move(peer));
    }
}

/// Linux looks for the key of an inbound connection by its source address alone: the interface
/// counts only for a VRF. So one link-local address on two links can have but one key where both
/// may dial in.
void FileReader::check_key(const PeerEntry& peer, const Section& section) {
    for (const PeerEntry& other : config_.peers) {
        if (!peer.address || peer.scope == other.scope || other.address != peer.address ||
            peer.listen_port == 0 || other.listen_port != peer.listen_port ||
            (other.password == peer.password && other.password_file == peer.password_file &&
             other.tcp_ao == peer.tcp_ao)) {
            continue;
        }
        context_.report(section.own->find("address")->where,
                        "the peer \"" + other.session.name +
                            "\" has this address on another interface and another key, which an "
                            "inbound connection cannot tell apart: give both the same key, or one "
                            "of them listen_port = 0");
        return;
    }
}

void FileReader::checks() {
    if (const auto section = template_of("check")) {
        static_cast<void>(read_check(context_, *section));
    }
    std::set<std::string> names;
    for (const Section& section : tables("check")) {
        config_.checks.push_back(read_check(context_, section));
        check_unique(names, config_.checks.back().name, section);
    }
}

void FileReader::vips() {
    for (const auto& router_id : {config_.node.router_id, router_id_in_use_}) {
        if (router_id) {
            used_.emplace(Prefix::host(IpAddress::v4(router_id->value)), "the router_id");
        }
    }
    if (const auto section = template_of("vip")) {
        static_cast<void>(read_vip(context_, *section, config_, used_));
    }
    std::set<std::string> names;
    for (const Section& section : tables("vip")) {
        config_.vips.push_back(read_vip(context_, section, config_, used_));
        check_unique(names, config_.vips.back().name, section);
    }
}

} // namespace

std::expected<Config, std::vector<Problem>> parse_config(
    std::string_view text, const Host& host, std::optional<bgp::RouterId> router_id_in_use) {
    const auto root = read_toml(text);
    if (!root) {
        return std::unexpected(std::vector{root.error()});
    }
    ReadContext context{.host = host, .problems = {}, .known_keys = {}};
    Config config = FileReader(context, *root, router_id_in_use).read();
    if (context.problems.empty()) {
        return config;
    }
    // A wrong value in [defaults.*] was met once more for each table that inherits it.
    std::ranges::sort(context.problems);
    const auto repeated = std::ranges::unique(context.problems);
    context.problems.erase(repeated.begin(), repeated.end());
    return std::unexpected(std::move(context.problems));
}

std::string to_string(const Problem& problem, std::string_view file) {
    std::string text(file);
    if (problem.line > 0) {
        text += ':' + std::to_string(problem.line) + ':' + std::to_string(problem.column);
    }
    return text + ": " + problem.message;
}

} // namespace anyvip::cmd
