// SPDX-License-Identifier: Apache-2.0
// Order is what makes this right: subscribe before the dump, read what was notified before each
// change, record in the ledger before the kernel. Then the table never lags behind by more than the
// moment between two system calls.
#include "vip/kernel/address_kernel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace anyvip::vip::kernel {

namespace {

constexpr int max_datagrams_a_turn = 256;
/// While others change addresses faster than a dump reads them, no dump is consistent.
constexpr int max_dump_tries = 4;
constexpr std::chrono::milliseconds resync_pause{200};

} // namespace

AddressKernel::AddressKernel(boost::asio::io_context& loop,
                             AddressCallbacks callbacks,
                             AddressOptions options)
    : loop_(loop), callbacks_(std::move(callbacks)), options_(std::move(options)),
      resync_timer_(loop, [this] {
          resync();
          deliver();
          callbacks_.turn_ended();
      }) {}

std::error_code AddressKernel::start() {
    if (!options_.state_directory.empty()) {
        auto ledger = Ledger::open(options_.state_directory, LedgerScope::current());
        if (ledger) {
            ledger_ = std::move(*ledger);
        } else {
            callbacks_.notice("cannot keep the list of own addresses in " +
                              options_.state_directory.string() + ": " + ledger.error().message());
        }
    }
    constexpr std::array groups = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
    std::array<int, groups.size()> numbers{};
    std::ranges::copy(groups, numbers.begin());
    auto notifications =
        Netlink::subscribe(NETLINK_ROUTE, numbers, options_.notification_buffer_octets);
    if (!notifications) {
        return notifications.error();
    }
    notifications_ = std::move(*notifications);
    AddressTable seen;
    const auto error = dump(seen);
    if (error && error != std::errc::interrupted) {
        return error;
    }
    table_.replace(std::move(seen));
    if (!error) {
        forget_missing();
    }
    readable_.emplace(loop_, notifications_->descriptor(), [this] { on_readable(); });
    readable_->arm();
    collect_changes();
    deliver();
    return {};
}

std::error_code AddressKernel::add(const Prefix& prefix, std::string_view interface) {
    read_notifications();
    const Link* link = table_.find_link(interface);
    if (link == nullptr || !link->is_up) {
        waiting_.emplace(interface, prefix);
        deliver();
        return std::make_error_code(link == nullptr ? std::errc::no_such_device
                                                    : std::errc::network_down);
    }
    const int index = *table_.index_of(interface);
    const bool is_there = link->addresses.contains(interface_address(prefix)) ||
                          table_.state_of(prefix, interface).is_present;
    if (!is_there) {
        if (const auto error = record(index, prefix)) {
            deliver();
            return error;
        }
        Request request = add_request(index, prefix, options_.uses_mark);
        const auto error = exchange(request);
        const bool is_foreign = error.value() == EEXIST;
        if (error) {
            forget(index, prefix);
        }
        if (error && !is_foreign) {
            deliver();
            return error;
        }
        table_.set_address(
            index, interface_address(prefix), {.is_usable = true, .is_owned = !is_foreign});
        if (is_foreign) { // put there a moment ago: the dump tells whose it is
            needs_resync_ = true;
            resync_timer_.arm(std::chrono::milliseconds(0));
        }
    }
    collect_changes();
    const AddressState state = table_.state_of(prefix, interface);
    if (is_there) {
        pending_.push_back({prefix, std::string(interface), state});
    }
    deliver();
    return state.is_present ? std::error_code{}
                            : std::make_error_code(std::errc::address_not_available);
}

std::error_code AddressKernel::remove(const Prefix& prefix, std::string_view interface) {
    read_notifications();
    waiting_.erase({std::string(interface), prefix});
    const AddressState state = table_.state_of(prefix, interface);
    std::error_code error;
    if (state.is_owned) {
        const int index = *table_.index_of(interface);
        Request request = remove_request(index, prefix);
        error = exchange(request);
        if (!error || error.value() == EADDRNOTAVAIL || error.value() == ENODEV) {
            error = {};
            forget(index, prefix);
            table_.remove_address(index, interface_address(prefix));
            collect_changes();
        }
    } else if (state.is_present) {
        error = std::make_error_code(std::errc::operation_not_permitted);
    } else {
        pending_.push_back({prefix, std::string(interface), state});
    }
    deliver();
    return error;
}

void AddressKernel::on_readable() {
    read_notifications();
    if (needs_resync_) {
        resync();
    }
    deliver();
    callbacks_.turn_ended();
    readable_->arm();
}

bool AddressKernel::read_notifications() {
    for (int i = 0; i < max_datagrams_a_turn; ++i) {
        const auto received =
            notifications_->receive([this](nlmsghdr& message) { apply(message); });
        if (received.error == std::errc::resource_unavailable_try_again) {
            collect_changes();
            return true;
        }
        if (received.error) {
            callbacks_.notice("address notifications were lost (" + received.error.message() +
                              "), reading all addresses again");
            needs_resync_ = true;
            break;
        }
    }
    collect_changes();
    return false;
}

void AddressKernel::apply(nlmsghdr& message) {
    switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        apply_link(message, table_);
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        apply_address(message, table_);
        break;
    default:
        break;
    }
}

void AddressKernel::apply_link(nlmsghdr& message, AddressTable& table) {
    const auto link = parse_link(message);
    if (!link) {
        return;
    }
    if (&table == &table_) {
        tell_of(*link);
    }
    if (link->is_gone) {
        table.remove_link(link->index);
    } else {
        table.set_link(link->index, link->name, link->is_up);
    }
}

void AddressKernel::tell_of(const LinkMessage& link) const {
    const auto known = table_.links().find(link.index);
    if (known == table_.links().end() || known->second.name.empty()) {
        return;
    }
    const auto& [name, is_up, addresses] = known->second;
    if (link.is_gone) {
        callbacks_.notice("interface " + name + " is gone");
        return;
    }
    if (link.name != name) {
        callbacks_.notice("interface " + name + " is now called " + link.name);
    }
    if (link.is_up != is_up) {
        callbacks_.notice("interface " + link.name + (link.is_up ? " is up" : " is down"));
    }
}

void AddressKernel::apply_address(nlmsghdr& message, AddressTable& table) {
    const auto parsed = parse_address(message);
    if (!parsed) {
        return;
    }
    if (parsed->mark && !keeps_mark_) {
        keeps_mark_ = true; // the ledger has nothing to tell that the kernel does not
    }
    if (parsed->is_gone) {
        const Prefix prefix = Prefix::of(parsed->address.address, parsed->address.length_bits);
        if (prefix.address() == parsed->address.address) {
            forget(parsed->index, prefix);
        }
        table.remove_address(parsed->index, parsed->address);
        return;
    }
    table.set_address(parsed->index,
                      parsed->address,
                      {.is_usable = parsed->is_usable, .is_owned = is_own(*parsed)});
}

// The ledger alone cannot tell ours from one that the administrator has put in its place while no
// daemon ran.
bool AddressKernel::is_own(const AddressMessage& message) const {
    if (options_.uses_mark && message.mark) {
        return *message.mark == address_mark;
    }
    const Prefix prefix = Prefix::of(message.address.address, message.address.length_bits);
    return !(options_.uses_mark && keeps_mark_) && ledger_ && message.is_like_ours &&
           prefix.address() == message.address.address && ledger_->contains(message.index, prefix);
}

// After a complete dump: what went while nobody looked would make somebody else's address ours
// later.
void AddressKernel::forget_missing() {
    if (!ledger_) {
        return;
    }
    const std::set<std::pair<int, Prefix>> entries = ledger_->entries();
    for (const auto& [index, prefix] : entries) {
        const auto link = table_.links().find(index);
        bool is_there = false;
        if (link != table_.links().end()) {
            const auto found = link->second.addresses.find(interface_address(prefix));
            is_there = found != link->second.addresses.end() && found->second.is_owned;
        }
        if (!is_there) {
            forget(index, prefix);
        }
    }
}

void AddressKernel::resync() {
    // What waits in the socket is older than the dump.
    char octet = 0;
    while (::recv(notifications_->descriptor(), &octet, 1, MSG_DONTWAIT | MSG_TRUNC) > 0 ||
           errno == ENOBUFS) {
    }
    AddressTable seen;
    std::error_code error;
    for (int i = 0; i < max_dump_tries; ++i) {
        seen = {};
        error = dump(seen);
        if (error != std::errc::interrupted) {
            break;
        }
    }
    needs_resync_ = static_cast<bool>(error);
    if (error) {
        resync_timer_.arm(resync_pause);
    }
    if (!error || error == std::errc::interrupted) {
        table_.replace(std::move(seen));
        if (!error) {
            forget_missing();
        }
    } else {
        callbacks_.notice("cannot read the addresses: " + error.message());
    }
    collect_changes();
}

std::error_code AddressKernel::dump(AddressTable& table) {
    Request links(RTM_GETLINK, NLM_F_DUMP);
    links.header(ifinfomsg{});
    links.attribute_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    auto error = exchange(links, [&](nlmsghdr& message) { apply_link(message, table); });
    if (error && error != std::errc::interrupted) {
        return error;
    }
    const auto links_error = error;
    Request addresses(RTM_GETADDR, NLM_F_DUMP);
    addresses.header(ifaddrmsg{});
    error = exchange(addresses, [&](nlmsghdr& message) { apply_address(message, table); });
    return error ? error : links_error;
}

void AddressKernel::collect_changes() {
    auto changes = table_.take_changes();
    pending_.insert(pending_.end(),
                    std::make_move_iterator(changes.begin()),
                    std::make_move_iterator(changes.end()));
    std::erase_if(waiting_, [this](const auto& wanted) {
        const Link* link = table_.find_link(wanted.first);
        const bool is_ready = link != nullptr && link->is_up;
        if (is_ready) {
            pending_.push_back(
                {wanted.second, wanted.first, table_.state_of(wanted.second, wanted.first)});
        }
        return is_ready;
    });
}

void AddressKernel::deliver() {
    if (is_delivering_) {
        return; // the outer call goes on with what was added
    }
    is_delivering_ = true;
    while (!pending_.empty()) {
        for (const Observation& observation : std::exchange(pending_, {})) {
            callbacks_.observed(observation);
        }
    }
    is_delivering_ = false;
}

std::error_code AddressKernel::exchange(Request& request, const OnMessage& on_message) {
    if (!requests_) {
        auto opened = Netlink::open(NETLINK_ROUTE);
        if (!opened) {
            return opened.error();
        }
        requests_ = std::move(*opened);
    }
    return requests_->exchange(request, on_message);
}

std::error_code AddressKernel::record(int index, const Prefix& prefix) {
    const bool is_needed = ledger_ && !(options_.uses_mark && keeps_mark_);
    return is_needed ? ledger_->add(index, prefix) : std::error_code{};
}

void AddressKernel::forget(int index, const Prefix& prefix) {
    if (ledger_) {
        if (const auto error = ledger_->remove(index, prefix)) {
            callbacks_.notice("cannot write the list of own addresses: " + error.message());
        }
    }
}

} // namespace anyvip::vip::kernel
