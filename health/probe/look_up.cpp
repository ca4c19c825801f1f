// SPDX-License-Identifier: Apache-2.0
#include "health/probe/look_up.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include <netdb.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>

#include "health/probe/run.hpp"

namespace anyvip::health {

namespace {

/// While it lives, threads that are born take no signal: those are the loop's.
class NoSignals {
  public:
    NoSignals() {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }

    ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

    NoSignals(const NoSignals&) = delete;
    NoSignals& operator=(const NoSignals&) = delete;

  private:
    sigset_t before_{};
};

boost::asio::ip::address address_of(const addrinfo& info) {
    boost::asio::ip::tcp::endpoint endpoint;
    endpoint.resize(std::min<std::size_t>(info.ai_addrlen, endpoint.capacity()));
    std::memcpy(endpoint.data(), info.ai_addr, endpoint.size());
    return endpoint.address();
}

} // namespace

/// What the threads share with the loop, and what is left when the loop has gone.
struct LookUps::Answers {
    std::mutex mutex;
    std::vector<LookedUp> ready;
    int event = -1; ///< the loop's; -1: nobody is interested any more

    void add(LookedUp answer) {
        const std::scoped_lock lock(mutex);
        if (event >= 0) {
            ready.push_back(std::move(answer));
            const std::uint64_t one = 1;
            static_cast<void>(!::write(event, &one, sizeof one));
        }
    }
};

LookUps::LookUps(boost::asio::io_context& io, std::function<void(const LookedUp&)> on_answer)
    : on_answer_(std::move(on_answer)), answers_(std::make_shared<Answers>()), event_(io) {}

std::error_code LookUps::start(const std::string& host) {
    if (const std::error_code error = open()) {
        return error;
    }
    try {
        const NoSignals guard;
        std::thread([answers = answers_, look_up = look_up_, host] {
            answers->add(look_up(host));
        }).detach();
    } catch (const std::system_error& problem) {
        return problem.code();
    }
    ++running_;
    watch();
    return {};
}

void LookUps::close() {
    const std::scoped_lock lock(answers_->mutex);
    answers_->event = -1;
    boost::system::error_code ignored;
    event_.close(ignored);
}

std::error_code LookUps::open() {
    if (event_.is_open()) {
        return {};
    }
    const int descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (descriptor < 0) {
        return {errno, std::system_category()};
    }
    boost::system::error_code error;
    event_.assign(descriptor, error);
    if (error) {
        ::close(descriptor);
        return error;
    }
    const std::scoped_lock lock(answers_->mutex);
    answers_->event = descriptor;
    return {};
}

void LookUps::watch() {
    if (std::exchange(is_watching_, true)) {
        return;
    }
    event_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this](const boost::system::error_code& error) {
                          if (!error) {
                              is_watching_ = false;
                              collect();
                          }
                      });
}

void LookUps::collect() {
    std::vector<LookedUp> ready;
    {
        const std::scoped_lock lock(answers_->mutex);
        std::uint64_t count = 0;
        static_cast<void>(!::read(event_.native_handle(), &count, sizeof count));
        ready.swap(answers_->ready);
    }
    running_ -= ready.size();
    for (const LookedUp& answer : ready) {
        on_answer_(answer);
    }
    if (running_ > 0) {
        watch();
    }
}

LookedUp ask_system(const std::string& host) {
    LookedUp result{.host = host, .addresses = {}};
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    const std::error_code system_error(status == EAI_SYSTEM ? errno : 0, std::system_category());
    if (status != 0) {
        result.problem = system_error ? system_error.message() : ::gai_strerror(status);
        result.is_our_fault = status == EAI_MEMORY || is_exhaustion(system_error);
        return result;
    }
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        if (each->ai_family == AF_INET || each->ai_family == AF_INET6) {
            result.addresses.push_back(address_of(*each));
        }
    }
    ::freeaddrinfo(found);
    if (result.addresses.empty()) {
        result.problem = "no address";
    }
    return result;
}

} // namespace anyvip::health
