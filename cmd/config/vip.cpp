// SPDX-License-Identifier: Apache-2.0
// [[vip]]: addresses that belong to nobody else, checks and peers that exist, attributes.
#include "cmd/config/convert.hpp"
#include "cmd/config/sections.hpp"
#include "cmd/config/words.hpp"

namespace anyvip::cmd {

namespace {

using std::chrono::milliseconds;

class VipReader {
  public:
    VipReader(ReadContext& context, const Section& section, const Config& config, AddressUses& used)
        : section_(section), config_(config), used_(used),
          reader_(context, section.label, section.where, *section.own, section.inherited) {}

    [[nodiscard]] vip::VipConfig read() {
        reader_.read("allow_prefix", allow_prefix_, to_bool);
        if (!section_.is_template) {
            reader_.require("name", vip_.name, to_name);
            addresses();
        }
        reader_.read("interface", vip_.interface, to_interface);
        reader_.read("address_policy", vip_.address_policy, address_policies);
        checks();
        required();
        references("peers", vip_.peers, [&](const std::string& name) {
            return std::ranges::any_of(
                config_.peers, [&](const PeerEntry& peer) { return peer.session.name == name; });
        });
        attributes();
        bandwidth();
        reader_.read("hold_down", vip_.hold_down, DurationOf<milliseconds>{});
        reader_.read("damping", vip_.damping, to_bool);
        reader_.finish();
        return std::move(vip_);
    }

  private:
    void addresses();
    [[nodiscard]] Converted<Prefix> to_vip_prefix(const Value& value);
    void checks();
    void required();
    template <typename Exists>
    void references(std::string_view key, std::vector<std::string>& out, const Exists& exists);
    void attributes();
    void bandwidth();
    [[nodiscard]] const health::CheckConfig* find_check(const std::string& name) const;

    const Section& section_;
    const Config& config_;
    AddressUses& used_;
    TableReader reader_;
    vip::VipConfig vip_;
    bool allow_prefix_ = false;
};

/// One that overlaps with `prefix`, or the end. As no two of them overlap, it is a neighbour: the
/// first one behind it lies in it, or the last one before it holds it.
[[nodiscard]] AddressUses::const_iterator find_overlap(const AddressUses& used,
                                                       const Prefix& prefix) {
    const auto next = used.lower_bound(prefix);
    if (next != used.end() && prefix.contains(next->first.address())) {
        return next;
    }
    if (next != used.begin() && std::prev(next)->first.contains(prefix.address())) {
        return std::prev(next);
    }
    return used.end();
}

void VipReader::addresses() {
    const Value* list = reader_.find("addresses");
    if (list == nullptr) {
        return reader_.report("addresses", "is missing");
    }
    reader_.read_list(
        "addresses", vip_.addresses, [&](const Value& value) { return to_vip_prefix(value); });
    if (list->as<Array>() != nullptr && list->as<Array>()->empty()) {
        reader_.report("addresses", "must name at least one address");
    }
}

Converted<Prefix> VipReader::to_vip_prefix(const Value& value) {
    const auto text = to_text(value);
    if (!text) {
        return std::unexpected(text.error());
    }
    const std::string quoted = '"' + *text + '"';
    const auto prefix = Prefix::parse(*text);
    if (!prefix) {
        return std::unexpected(prefix.error());
    }
    const IpAddress& address = prefix->address();
    if (!prefix->is_host() && !allow_prefix_) {
        return std::unexpected(quoted + " is no host address; allow_prefix = true would allow it");
    }
    if (address.is_loopback() || address.is_multicast() || address.is_link_local()) {
        const char* kind = address.is_loopback()    ? "a loopback"
                           : address.is_multicast() ? "a multicast"
                                                    : "a link-local";
        return std::unexpected(quoted + " is " + kind + " address");
    }
    if (prefix->length_bits() == 0 || address.is_unspecified() || address.is_class_e() ||
        address.is_v4_mapped()) {
        return std::unexpected(quoted + " is no address that a service can have");
    }
    const auto taken = find_overlap(used_, *prefix);
    if (taken != used_.end()) {
        return std::unexpected(quoted + " is already " + taken->second);
    }
    used_.emplace(*prefix, "in the VIP \"" + vip_.name + '"');
    return *prefix;
}

const health::CheckConfig* VipReader::find_check(const std::string& name) const {
    const auto found = std::ranges::find(config_.checks, name, &health::CheckConfig::name);
    return found == config_.checks.end() ? nullptr : &*found;
}

template <typename Exists>
void VipReader::references(std::string_view key,
                           std::vector<std::string>& out,
                           const Exists& exists) {
    std::vector<std::string> names;
    reader_.read_list(key, names, [&](const Value& value) -> Converted<std::string> {
        auto name = to_text(value);
        if (name && !exists(*name)) {
            return std::unexpected("names \"" + *name + "\", which is not configured");
        }
        if (name && std::ranges::find(out, *name) != out.end()) {
            return std::unexpected("names \"" + *name + "\" twice");
        }
        if (name) {
            out.push_back(*name);
        }
        return name;
    });
}

void VipReader::checks() {
    references("checks", vip_.checks, [&](const std::string& name) {
        return find_check(name) != nullptr;
    });
    if (vip_.address_policy != vip::AddressPolicy::Follow) {
        return;
    }
    // Its probe would need the address that comes only with the announcement it has to allow.
    for (const std::string& name : vip_.checks) {
        if (health::uses_vip(find_check(name)->target)) {
            reader_.report(
                "checks",
                "names \"" + name +
                    "\", which probes {vip}: impossible with address_policy = \"follow\"");
        }
    }
}

void VipReader::required() {
    const std::string_view wanted = R"(must be "all", "any" or a number of checks)";
    const Value* value = reader_.find("require");
    if (value == nullptr) {
        return;
    }
    const auto local =
        static_cast<std::uint32_t>(std::ranges::count_if(vip_.checks, [&](const std::string& name) {
            return find_check(name)->scope == health::Scope::Local;
        }));
    if (const std::string* text = value->as<std::string>()) {
        if (*text == "any") {
            vip_.require = local == 0 ? 0 : 1; // no check at all: always up
        } else if (*text != "all") {
            reader_.report("require", wanted);
        }
    } else if (value->as<std::int64_t>() == nullptr) {
        reader_.report("require", wanted);
    } else if (reader_.read("require", vip_.require, Integer<std::uint32_t>{1}) &&
               vip_.require > local && !section_.is_template) {
        reader_.report("require",
                       "wants " + std::to_string(vip_.require) + " checks up, but the VIP \"" +
                           vip_.name + "\" has " + std::to_string(local) + " of scope local");
    }
}

void VipReader::attributes() {
    reader_.read("on_down", vip_.on_down, on_down_words);
    reader_.read("backup_prepend", vip_.backup_prepend, Integer<std::uint32_t>{0, most_prepends});
    reader_.read("backup_med", vip_.backup_med, Integer<std::uint32_t>{});
    read_communities(reader_,
                     {vip_.communities, vip_.extended_communities, vip_.large_communities});
    reader_.read("prepend", vip_.prepend, Integer<std::uint32_t>{0, most_prepends});
    reader_.read("med", vip_.med, Integer<std::uint32_t>{});
}

void VipReader::bandwidth() {
    reader_.read("bandwidth", vip_.bandwidth_bits_per_second, OrEmpty{to_bandwidth});
    reader_.read("bandwidth_step", vip_.bandwidth_step_percent, Integer<std::uint32_t>{0, 100});
    reader_.read("slow_start", vip_.slow_start, DurationOf<milliseconds>{});
}

} // namespace

vip::VipConfig
read_vip(ReadContext& context, const Section& section, const Config& config, AddressUses& used) {
    return VipReader(context, section, config, used).read();
}

} // namespace anyvip::cmd
