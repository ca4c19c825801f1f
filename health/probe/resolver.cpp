// SPDX-License-Identifier: Apache-2.0
#include "health/probe/resolver.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

namespace anyvip::health {

namespace {

constexpr std::chrono::seconds fresh_for{30};

struct Entry {
    std::optional<boost::asio::ip::address> address;
    Instant looked_up{};
    bool is_pending = false;
    std::vector<Resolved> waiting;
};

std::map<std::string, Entry, std::less<>>& cache() {
    static std::map<std::string, Entry, std::less<>> entries;
    return entries;
}

using Results = boost::asio::ip::tcp::resolver::results_type;

void on_answer(const std::string& host,
               const boost::system::error_code& error,
               const Results& results) {
    Entry& entry = cache()[host];
    entry.is_pending = false;
    if (!error && !results.empty()) {
        entry.address = results.begin()->endpoint().address();
    }
    const std::vector<Resolved> waiting = std::exchange(entry.waiting, {});
    if (entry.address) {
        const auto address = *entry.address;
        for (const Resolved& then : waiting) {
            then(address);
        }
        return;
    }
    // The name does not say whether the service is well: the check could not be run.
    const Result failure{.outcome = Outcome::Error,
                         .detail = "cannot resolve " + host + ": " + error.message()};
    for (const Resolved& then : waiting) {
        then(std::unexpected(failure));
    }
}

void look_up(const boost::asio::any_io_executor& executor, const std::string& host, Entry& entry) {
    entry.is_pending = true;
    entry.looked_up = std::chrono::steady_clock::now();
    const auto resolver = std::make_shared<boost::asio::ip::tcp::resolver>(executor);
    resolver->async_resolve(
        host, "", [resolver, host](const boost::system::error_code& error, const Results& results) {
            on_answer(host, error, results);
        });
}

} // namespace

void resolve(const boost::asio::any_io_executor& executor, const std::string& host, Resolved then) {
    boost::system::error_code error;
    const auto literal = boost::asio::ip::make_address(host, error);
    if (!error) {
        then(literal);
        return;
    }
    Entry& entry = cache()[host];
    const bool is_stale = std::chrono::steady_clock::now() - entry.looked_up > fresh_for;
    if (!entry.is_pending && (is_stale || !entry.address)) {
        look_up(executor, host, entry);
    }
    if (entry.address) {
        const auto address = *entry.address;
        then(address);
    } else {
        entry.waiting.push_back(std::move(then));
    }
}

} // namespace anyvip::health
