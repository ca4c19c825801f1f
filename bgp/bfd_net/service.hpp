// SPDX-License-Identifier: Apache-2.0
// BFD as the main loop sees it: sessions are added and removed, reports come back. The thread
// behind it runs only while there are sessions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "bgp/bfd_net/messages.hpp"
#include "bgp/bfd_net/thread.hpp"

namespace anyvip::bgp::bfd_net {

struct ServiceCallbacks {
    std::function<void(const Report&)> on_report;
    std::function<void()> on_turn; ///< after some reports
    /// One line for the log: what the thread was not allowed to have.
    std::function<void(const std::string&)> on_hint;
};

class Service {
  public:
    Service(boost::asio::io_context& io, ServiceCallbacks callbacks);
    /// Ends the thread at once; peers are told nothing.
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// The id that its reports bear. Starts the thread if need be.
    [[nodiscard]] std::uint32_t add(const Endpoint& endpoint, const bfd::Timing& timing);
    void reconfigure(std::uint32_t id, const bfd::Timing& timing);
    /// AdminDown for as long as the peer needs to know it (RFC 5880 §6.8.16); the report with
    /// `is_removed` is the last one.
    void remove(std::uint32_t id);

    /// No session is left, nor one that says goodbye.
    [[nodiscard]] bool is_quiet() const;

    // ---- upgrade in place ----
    /// The thread stands still; nullptr: there is none.
    [[nodiscard]] Thread* pause();
    void go_on();
    /// One that a predecessor's state was loaded into, running. Before the first `add`.
    void take_over(std::unique_ptr<Thread> thread);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace anyvip::bgp::bfd_net
