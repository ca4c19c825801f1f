// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/log.hpp"

#include <array>

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "cmd/daemon/limits.hpp"

namespace anyvip::cmd {

namespace {

struct Pipe {
    Pipe() { REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0); }

    ~Pipe() {
        ::close(ends[0]);
        ::close(ends[1]);
    }

    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    [[nodiscard]] std::string read() const {
        std::string text(1UL << 20U, '\0');
        text.resize(static_cast<std::size_t>(::read(ends[0], text.data(), text.size())));
        return text;
    }

    std::array<int, 2> ends{};
};

} // namespace

TEST_CASE("log: a JSON line has the event's fields, whatever the message holds") {
    const Pipe pipe;
    Log log(pipe.ends[1]);
    log.configure(LogLevel::Info, LogFormat::Json);
    log.write(LogLevel::Info, "quote \" and\nend", {{"event", "vip.drained"}, {"name", "www"}});
    const boost::json::value entry = boost::json::parse(pipe.read());
    CHECK(entry.at("event") == "vip.drained");
    CHECK(entry.at("name") == "www");
    CHECK(entry.at("message") == "quote \" and end");
}

TEST_CASE("log: no text steers the terminal that shows it") {
    const Pipe pipe;
    Log log(pipe.ends[1]);
    log.info("C0 \x1b[2J, C1 \xc2\x9b"
             "2J, override \xe2\x80\xae, no UTF-8 \xff, caf\xc3\xa9");
    const std::string line = pipe.read();
    CHECK(line.ends_with("C0  [2J, C1  2J, override  , no UTF-8 \xef\xbf\xbd, caf\xc3\xa9\n"));
}

TEST_CASE("log: a JSON line that is too long loses of its message, not its form") {
    const Pipe pipe;
    Log log(pipe.ends[1]);
    log.configure(LogLevel::Info, LogFormat::Json);
    log.info(std::string(5000, '"'));
    const std::string line = pipe.read();
    CHECK(line.size() <= limits::log_line_octets + 1);
    CHECK_NOTHROW(static_cast<void>(boost::json::parse(line)));
}

TEST_CASE("CONTRACT 7: lines that nobody reads are dropped, counted and told of later") {
    const Pipe pipe;
    Log log(pipe.ends[1]);
    for (int i = 0; i < 2000; ++i) {
        log.info(std::string(100, 'x'));
    }
    const std::uint64_t dropped = log.dropped();
    CHECK(dropped > 0);
    CHECK_FALSE(pipe.read().empty());
    log.info("read again");
    CHECK(pipe.read().find(std::to_string(dropped) + " log lines were dropped") !=
          std::string::npos);
    CHECK(log.dropped() == dropped);
}

} // namespace anyvip::cmd
