// SPDX-License-Identifier: Apache-2.0
#include "health/probe/resolver.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "health/probe/run.hpp"

namespace anyvip::health {

namespace {

constexpr std::chrono::seconds fresh_for{30};

struct Entry {
    Addresses addresses;
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
        Addresses found;
        for (const auto& result : results) {
            found.push_back(result.endpoint().address());
        }
        remember(host, std::move(found));
    }
    const std::vector<Resolved> waiting = std::exchange(entry.waiting, {});
    if (!entry.addresses.empty()) {
        const Addresses addresses = entry.addresses;
        for (const Resolved& then : waiting) {
            then(addresses);
        }
        return;
    }
    // The name does not say whether the service is well: the check could not be run.
    const Result failure{.outcome = Outcome::Error,
                         .detail = "cannot resolve " + host + ": " + error.message(),
                         .is_our_fault = is_exhaustion(error)};
    for (const Resolved& then : waiting) {
        then(std::unexpected(failure));
    }
}

void look_up(const boost::asio::any_io_executor& executor, const std::string& host, Entry& entry) {
    entry.is_pending = true;
    entry.looked_up = std::chrono::steady_clock::now();
    const auto resolver = std::make_shared<boost::asio::ip::tcp::resolver>(executor);
    try {
        resolver->async_resolve(
            host,
            "",
            [resolver, host](const boost::system::error_code& error, const Results& results) {
                on_answer(host, error, results);
            });
    } catch (const boost::system::system_error& problem) {
        // The resolver's thread is made when it is first needed, and there may be none to be had.
        boost::asio::post(executor,
                          [host, error = problem.code()] { on_answer(host, error, Results()); });
    }
}

} // namespace

void resolve(const boost::asio::any_io_executor& executor, const std::string& host, Resolved then) {
    boost::system::error_code error;
    const auto literal = boost::asio::ip::make_address(host, error);
    if (!error) {
        then(Addresses{literal});
        return;
    }
    Entry& entry = cache()[host];
    const bool is_stale = std::chrono::steady_clock::now() - entry.looked_up > fresh_for;
    if (!entry.is_pending && (is_stale || entry.addresses.empty())) {
        look_up(executor, host, entry);
    }
    if (!entry.addresses.empty()) {
        const Addresses addresses = entry.addresses;
        then(addresses);
    } else {
        entry.waiting.push_back(std::move(then));
    }
}

void remember(const std::string& host, Addresses addresses) {
    Entry& entry = cache()[host];
    entry.addresses = std::move(addresses);
    entry.looked_up = std::chrono::steady_clock::now();
}

} // namespace anyvip::health
