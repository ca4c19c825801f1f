// SPDX-License-Identifier: Apache-2.0
#include "health/probe/resolver.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/asio/post.hpp>

namespace anyvip::health {

namespace {

using boost::asio::ip::make_address;

constexpr std::chrono::seconds fresh_for{30};

Instant now() {
    return std::chrono::steady_clock::now();
}

/// RFC 6761 §6.3: whoever answers, these are loopback.
bool is_localhost(std::string_view host) {
    return host == "localhost" || host.ends_with(".localhost");
}

Addresses loopback() {
    return {boost::asio::ip::address_v4::loopback(), boost::asio::ip::address_v6::loopback()};
}

} // namespace

boost::asio::execution_context::id Resolver::id;

Resolver& Resolver::of(boost::asio::io_context& io) {
    return boost::asio::use_service<Resolver>(io);
}

Resolver& Resolver::of(const boost::asio::any_io_executor& executor) {
    // There is no other kind in this program.
    return of(static_cast<boost::asio::io_context&>(executor.context()));
}

Resolver::Resolver(boost::asio::io_context& io)
    : service(io), io_(io), look_ups_(io, [this](const LookedUp& answer) { on_answer(answer); }) {}

void Resolver::shutdown() {
    look_ups_.close();
    entries_.clear(); // who waits keeps sockets of this loop
}

void Resolver::Waiters::add(Waiter waiter) {
    if (waiters_.size() >= tidy_at_) {
        std::erase_if(waiters_, [](const Waiter& one) { return !one.is_wanted(); });
        tidy_at_ = std::max(few, 2 * waiters_.size());
    }
    waiters_.push_back(std::move(waiter));
}

std::vector<Resolver::Waiter> Resolver::Waiters::take() {
    tidy_at_ = few;
    return std::exchange(waiters_, {});
}

void Resolver::resolve(const std::string& host, std::function<bool()> is_wanted, Resolved then) {
    boost::system::error_code error;
    const auto literal = make_address(host, error);
    if (!error) {
        then(Addresses{literal});
        return;
    }
    Entry& entry = entry_of(host);
    const bool is_stale = now() - entry.looked_up > fresh_for;
    if (!entry.is_pending && (is_stale || entry.addresses.empty())) {
        want(host, entry);
    }
    if (!entry.addresses.empty()) {
        const Addresses addresses = entry.addresses;
        then(addresses);
    } else {
        entry.waiting.add({std::move(is_wanted), std::move(then)});
    }
}

Duration Resolver::held_up(const std::string& host, Instant since) const {
    const auto found = entries_.find(host);
    if (found == entries_.end()) {
        return {};
    }
    const Entry& entry = found->second;
    const bool is_started = entry.started >= entry.wanted;
    return std::max<Duration>((is_started ? entry.started : now()) - std::max(since, entry.wanted),
                              {});
}

void Resolver::remember(const std::string& host, Addresses addresses) {
    Entry& entry = entry_of(host);
    entry.addresses = std::move(addresses);
    entry.looked_up = now();
}

std::vector<KnownName> Resolver::known() const {
    std::vector<KnownName> names;
    for (const auto& [host, entry] : entries_) {
        if (entry.addresses.empty()) {
            continue;
        }
        KnownName& name = names.emplace_back(KnownName{host, {}, entry.looked_up});
        for (const auto& address : entry.addresses) {
            name.addresses.push_back(address.to_string());
        }
    }
    return names;
}

void Resolver::take_over(const std::vector<KnownName>& names) {
    for (const KnownName& name : names) {
        Addresses addresses;
        for (const std::string& text : name.addresses) {
            boost::system::error_code error;
            const auto address = make_address(text, error);
            if (!error) {
                addresses.push_back(address);
            }
        }
        if (!addresses.empty()) {
            Entry& entry = entry_of(name.host);
            entry.addresses = std::move(addresses);
            entry.looked_up = std::min(name.looked_up, now());
        }
    }
}

/// Until the system has said what it calls localhost, everybody knows where it is.
Resolver::Entry& Resolver::entry_of(const std::string& host) {
    const auto [at, is_new] = entries_.try_emplace(host);
    if (is_new && is_localhost(host)) {
        at->second.addresses = loopback();
    }
    return at->second;
}

void Resolver::want(const std::string& host, Entry& entry) {
    entry.is_pending = true;
    entry.wanted = now();
    queue_.push_back(host);
    start_next();
}

void Resolver::start_next() {
    while (!queue_.empty() && !look_ups_.is_full()) {
        const std::string host = std::move(queue_.front());
        queue_.pop_front();
        Entry& entry = entry_of(host);
        entry.started = entry.looked_up = now();
        if (const std::error_code error = look_ups_.start(host)) {
            const LookedUp failure{
                .host = host, .addresses = {}, .problem = error.message(), .is_our_fault = true};
            boost::asio::post(io_, [this, failure] { on_answer(failure); });
        }
    }
}

void Resolver::on_answer(const LookedUp& answer) {
    Entry& entry = entry_of(answer.host);
    entry.is_pending = false;
    if (!answer.addresses.empty()) {
        remember(answer.host, answer.addresses);
    }
    start_next();
    const std::vector<Waiter> waiting = entry.waiting.take();
    if (!entry.addresses.empty()) {
        const Addresses addresses = entry.addresses;
        for (const Waiter& waiter : waiting) {
            waiter.then(addresses);
        }
        return;
    }
    // The name does not say whether the service is well: the check could not be run.
    const Result failure{.outcome = Outcome::Error,
                         .detail = "cannot resolve " + answer.host + ": " + answer.problem,
                         .is_our_fault = answer.is_our_fault};
    for (const Waiter& waiter : waiting) {
        waiter.then(std::unexpected(failure));
    }
}

} // namespace anyvip::health
