// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/drain_writer.hpp"

#include <system_error>
#include <utility>

#include <boost/asio/post.hpp>

#include "cmd/daemon/drain_store.hpp"

namespace anyvip::cmd {

DrainWriter::DrainWriter(boost::asio::io_context& io, std::filesystem::path directory, Done done)
    : io_(io), directory_(std::move(directory)), done_(std::move(done)) {}

DrainWriter::~DrainWriter() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

void DrainWriter::save(vip::DrainState state) {
    waiting_.push_back(std::move(state));
    if (writing_ == 0) {
        write();
    }
}

void DrainWriter::write() {
    writing_ = waiting_.size();
    vip::DrainState newest = std::move(waiting_.back());
    waiting_.clear();
    const auto work = [this, state = std::move(newest)] {
        std::string problem = save_drains(directory_, state);
        boost::asio::post(io_, [this, problem = std::move(problem)] { written(problem); });
    };
    try {
        thread_ = std::thread(work);
    } catch (const std::system_error&) {
        work(); // no thread to be had: better late than not at all
    }
}

void DrainWriter::written(const std::string& problem) {
    if (thread_.joinable()) {
        thread_.join();
    }
    const std::size_t answered = std::exchange(writing_, 0);
    if (!waiting_.empty()) {
        write();
    }
    for (std::size_t i = 0; i < answered; ++i) {
        done_(problem);
    }
}

} // namespace anyvip::cmd
