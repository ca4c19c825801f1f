// SPDX-License-Identifier: Apache-2.0
// Look-ups of host names by the C library, so that nsswitch.conf counts. It can only wait, and for
// as long as it likes: so each look-up has a thread, which owns nothing of ours and is waited for
// by nobody, not even by the end of the program.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace anyvip::health {

/// In the order in which they are to be tried.
using Addresses = std::vector<boost::asio::ip::address>;

struct LookedUp {
    std::string host;
    Addresses addresses;       ///< empty: there is a problem
    std::string problem{};     ///< one line
    bool is_our_fault = false; ///< no descriptor, no memory, no thread
};

/// Called in a thread of its own.
using LookUp = std::function<LookedUp(const std::string& host)>;

/// getaddrinfo(3).
[[nodiscard]] LookedUp ask_system(const std::string& host);

class LookUps {
  public:
    /// So many at once; each is a thread for as long as it takes.
    static constexpr std::size_t limit = 32;

    /// `on_answer` is called from the loop, once for each that was started.
    LookUps(boost::asio::io_context& io, std::function<void(const LookedUp&)> on_answer);

    ~LookUps() { close(); }

    LookUps(const LookUps&) = delete;
    LookUps& operator=(const LookUps&) = delete;

    void use(LookUp look_up) { look_up_ = std::move(look_up); }

    [[nodiscard]] bool is_full() const { return running_ >= limit; }

    /// Not when `is_full`. An error: nothing was started.
    [[nodiscard]] std::error_code start(const std::string& host);
    /// No answer is given any more; threads that still wait end by themselves.
    void close();

  private:
    struct Answers;

    std::error_code open();
    void watch();
    void collect();

    std::function<void(const LookedUp&)> on_answer_;
    LookUp look_up_ = ask_system;
    std::shared_ptr<Answers> answers_;
    boost::asio::posix::stream_descriptor event_;
    std::size_t running_ = 0;
    bool is_watching_ = false;
};

} // namespace anyvip::health
