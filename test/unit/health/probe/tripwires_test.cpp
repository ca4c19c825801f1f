// SPDX-License-Identifier: Apache-2.0
// Tripwires against real sockets, processes and files.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "health/probe/tripwires.hpp"
#include "health/probe/unit_group.hpp"
#include "test/unit/health/probe/support.hpp"

namespace anyvip::health {
namespace {

using namespace test;

/// The wires of one check with id 7, and how often they were sprung.
struct Bench {
    explicit Bench(CheckConfig checked) : config(std::move(checked)) {
        const std::vector<Tripwires::Watched> wanted{{.check_id = 7, .config = &config}};
        wires.watch(wanted);
    }

    bool is_sprung() {
        return run_until(io, [&] { return count > 0; });
    }

    /// Everything that has happened up to now is seen.
    void poll() {
        io.restart();
        io.run_for(milliseconds(50));
    }

    boost::asio::io_context io;
    int count = 0;
    CheckConfig config;
    Tripwires wires{io, [this](std::uint64_t id) {
                        CHECK(id == 7);
                        ++count;
                    }};
};

class Directory {
  public:
    Directory()
        : path_(std::filesystem::temp_directory_path() /
                ("anyvip-tripwires-" + std::to_string(::getpid()))) {
        std::filesystem::remove_all(path_);
        std::filesystem::create_directory(path_);
    }

    ~Directory() { std::filesystem::remove_all(path_); }

    [[nodiscard]] std::string operator/(const char* name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

void write_file(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}

pid_t start_sleep() {
    pid_t pid = 0;
    std::string program = "/bin/sleep";
    std::string argument = "300";
    char* const argv[] = {program.data(), argument.data(), nullptr};
    REQUIRE(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv, environ) == 0);
    return pid;
}

void end(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

TEST_CASE("the end of a listening socket is seen at once, the end of its connections is not") {
    boost::asio::io_context server_io;
    tcp::acceptor acceptor(server_io, tcp::endpoint(tcp::v4(), 0));
    const auto port = std::to_string(acceptor.local_endpoint().port());
    Bench bench(config_of(TcpTarget{.target = "127.0.0.1:" + port}));
    const auto armed = bench.wires.armed(7);
    REQUIRE(armed == std::vector<std::string>{"socket events, port " + port});
    for (int i = 0; i < 10; ++i) {
        tcp::socket client(server_io);
        client.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(),
                                     acceptor.local_endpoint().port()));
        acceptor.accept().close();
    }
    tcp::acceptor(server_io, tcp::endpoint(tcp::v4(), 0)).close(); // somebody else's
    bench.poll();
    CHECK(bench.count == 0);
    acceptor.close();
    CHECK(bench.is_sprung());
    bench.wires.watch({});
    CHECK(bench.wires.armed(7).empty());
}

TEST_CASE("a service on another host is not watched here") {
    Bench bench(config_of(TcpTarget{.target = "192.0.2.1:80"}));
    CHECK(bench.wires.armed(7).empty());
}

TEST_CASE("the end of a pidfile's process is seen, and its successor is watched after a pass") {
    const Directory directory;
    const std::string file = directory / "app.pid";
    const pid_t first = start_sleep();
    write_file(file, std::to_string(first) + "\n");
    Bench bench(config_of(ProcessTarget{.pidfile = file}));
    CHECK(bench.wires.armed(7) ==
          std::vector<std::string>{"inotify " + file, "process " + std::to_string(first)});
    end(first);
    CHECK(bench.is_sprung());
    CHECK(bench.wires.armed(7) == std::vector<std::string>{"inotify " + file});

    const pid_t second = start_sleep();
    bench.count = 0;
    write_file(file, std::to_string(second));
    CHECK(bench.is_sprung()); // the file was written
    bench.wires.passed(7);
    bench.poll();
    bench.count = 0;
    end(second);
    CHECK(bench.is_sprung());
}

TEST_CASE("a pidfile that names another process is followed while the old one still lives") {
    const Directory directory;
    const std::string file = directory / "app.pid";
    const pid_t first = start_sleep();
    const pid_t second = start_sleep();
    write_file(file, std::to_string(first));
    Bench bench(config_of(ProcessTarget{.pidfile = file}));
    write_file(file, std::to_string(second));
    CHECK(bench.is_sprung());
    bench.poll();
    CHECK(bench.wires.armed(7).back() == "process " + std::to_string(second));
    bench.count = 0;
    end(first);
    bench.poll();
    CHECK(bench.count == 0);
    end(second);
    CHECK(bench.is_sprung());
}

TEST_CASE("a path through symbolic links changes with each of them") {
    namespace fs = std::filesystem;
    const Directory directory;
    fs::create_directories(directory / "releases/1");
    fs::create_directories(directory / "releases/2");
    write_file(directory / "releases/2/ready", "");
    const auto link = [&](const char* target, const char* name) {
        fs::create_directory_symlink(target, directory / "new");
        fs::rename(directory / "new", directory / name); // as `ln -sfn` and deployments do
    };
    link("1", "releases/latest");
    link("releases/latest", "current");
    Bench bench(config_of(FileTarget{.path = directory / "current/ready"}));
    const auto is_sprung = [&] {
        const bool is_seen = bench.is_sprung();
        bench.poll();
        bench.count = 0;
        return is_seen;
    };
    link("2", "releases/latest");
    CHECK(is_sprung());
    fs::remove(directory / "releases/2/ready");
    CHECK(is_sprung());
    link("releases/1", "current");
    CHECK(is_sprung());
    write_file(directory / "releases/1/ready", "");
    CHECK(is_sprung());
    write_file(directory / "releases/2/ready", ""); // not on the way any more
    bench.poll();
    CHECK(bench.count == 0);
    link("current", "current"); // a circle
    CHECK(is_sprung());
}

TEST_CASE("a path that could not be watched for want of a descriptor is, after a pass") {
    const Directory directory;
    const std::string file = directory / "ready";
    boost::asio::io_context io;
    int count = 0;
    Tripwires wires(io, [&](std::uint64_t) { ++count; });
    const CheckConfig config = config_of(FileTarget{.path = file});
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{.rlim_cur = 3, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const std::vector<Tripwires::Watched> wanted{{.check_id = 7, .config = &config}};
    wires.watch(wanted);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(wires.armed(7).empty());
    wires.passed(7);
    CHECK(wires.armed(7) == std::vector<std::string>{"inotify " + file});
    write_file(file, "");
    CHECK(run_until(io, [&] { return count > 0; }));
}

TEST_CASE("a port is watched once its address has come to be ours" *
          doctest::skip(::geteuid() != 0)) {
    const pid_t child = ::fork(); // into a network of its own
    if (child == 0) {
        bool is_right = ::unshare(CLONE_NEWNET) == 0 && std::system("ip link set lo up") == 0;
        Bench bench(config_of(TcpTarget{.target = "203.0.113.10:80"}));
        Bench bench6(config_of(TcpTarget{.target = "[2001:db8::10]:81"}));
        is_right = is_right && bench.wires.armed(7).empty() && bench6.wires.armed(7).empty();
        is_right = is_right && std::system("ip address add 203.0.113.10/32 dev lo") == 0 &&
                   std::system("ip address add 2001:db8::10/128 dev lo nodad preferred_lft 0") == 0;
        bench.wires.passed(7);
        bench6.wires.passed(7);
        is_right = is_right &&
                   bench.wires.armed(7) == std::vector<std::string>{"socket events, port 80"} &&
                   bench6.wires.armed(7) == std::vector<std::string>{"socket events, port 81"};
        ::_exit(is_right ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a name that is resolved after its check has gone opens nothing") {
    boost::asio::io_context io;
    std::vector<Server::Connection> accepted;
    const Server server(io, [&](Server::Connection peer) { accepted.push_back(std::move(peer)); });
    // No other test asks for it so.
    CheckConfig config = config_of(TcpTarget{.target = "LocalHost" + server.target().substr(9)});
    config.tripwire = Tripwire::Connection;
    Tripwires wires(io, [](std::uint64_t) {});
    const std::vector<Tripwires::Watched> wanted{{.check_id = 7, .config = &config}};
    wires.watch(wanted);
    wires.passed(7); // the resolver's thread is asked, its answer waits for the loop
    wires.watch({});
    CHECK(probe(io, config).outcome == Outcome::Pass); // the name is known by now
    REQUIRE(run_until(io, [&] { return !accepted.empty(); }));
    io.restart();
    io.run_for(milliseconds(50));
    CHECK(std::ranges::none_of(accepted, [](const Server::Connection& connection) {
        char octet = 0;
        return ::recv(connection->native_handle(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
               errno == EAGAIN; // somebody is still there
    }));
}

TEST_CASE("the end of a unit's control group is seen, wherever systemd says that it is") {
    const Directory directory;
    const std::string group = directory / "app.slice/foo@1.service";
    Bench bench(config_of(ProcessTarget{.pidfile = {}, .unit = "foo@1"}));
    bench.wires.passed(7);
    CHECK(bench.wires.armed(7).empty()); // nobody has said so yet
    remember_unit_group("foo@1", group);
    bench.wires.passed(7);
    CHECK(bench.wires.armed(7).empty()); // it is not there
    std::filesystem::create_directories(group);
    bench.wires.passed(7);
    CHECK(bench.wires.armed(7) == std::vector<std::string>{"inotify " + group});
    std::filesystem::remove(group);
    CHECK(bench.is_sprung());
}

TEST_CASE("a file is seen to come and go, its directory too; its neighbours are not") {
    const Directory directory;
    const std::string folder = directory / "app";
    const std::string file = folder + "/ready";
    Bench bench(config_of(FileTarget{.path = file}));
    std::filesystem::create_directory(folder);
    CHECK(bench.is_sprung());
    bench.poll();
    bench.count = 0;
    write_file(folder + "/other", "x");
    bench.poll();
    CHECK(bench.count == 0);
    write_file(file, "x");
    CHECK(bench.is_sprung());
    bench.poll();
    bench.count = 0;
    std::filesystem::remove(file);
    CHECK(bench.is_sprung());
    bench.poll();
    bench.count = 0;
    std::filesystem::remove_all(folder);
    CHECK(bench.is_sprung());
    bench.poll();
    bench.count = 0;
    std::filesystem::create_directory(folder);
    CHECK(bench.is_sprung());
}

TEST_CASE("the end of the process behind a unix socket is seen after the first pass") {
    const Directory directory;
    const std::string path = directory / "app.sock";
    const pid_t child = ::fork();
    if (child == 0) {
        const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        static_cast<void>(
            ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address));
        static_cast<void>(::listen(listener, 8));
        ::pause();
        ::_exit(0);
    }
    Bench bench(config_of(TcpTarget{.target = "unix:" + path}));
    REQUIRE(run_until(bench.io, [&] {
        boost::asio::io_context io;
        return probe(io, bench.config).outcome == Outcome::Pass;
    }));
    bench.wires.passed(7);
    REQUIRE(run_until(bench.io, [&] { return bench.wires.armed(7).size() == 2; }));
    CHECK(bench.wires.armed(7)[1] == "process " + std::to_string(child));
    bench.poll();
    bench.count = 0;
    end(child);
    CHECK(bench.is_sprung());
}

TEST_CASE("an idle connection that the server ends springs once, and backs off") {
    Bench bench([] {
        CheckConfig config = config_of(TcpTarget{});
        config.tripwire = Tripwire::Connection;
        return config;
    }());
    Server::Connection held;
    const Server server(bench.io, [&](Server::Connection connection) { held = connection; });
    std::get<TcpTarget>(bench.config.target).target = server.target();
    const std::vector<Tripwires::Watched> wanted{{.check_id = 7, .config = &bench.config}};
    bench.wires.watch(wanted);
    bench.wires.passed(7);
    REQUIRE(run_until(bench.io, [&] { return held != nullptr; }));
    CHECK(bench.wires.armed(7).back() == "idle connection");
    CHECK(bench.count == 0);
    held->close();
    CHECK(bench.is_sprung());
    bench.wires.passed(7);
    CHECK(bench.wires.armed(7).back() != "idle connection");
    CHECK(bench.count == 1);
}

TEST_CASE("tripwires may be destroyed while everything is armed") {
    const Directory directory;
    boost::asio::io_context io;
    CheckConfig config = config_of(FileTarget{.path = directory / "x"});
    std::unique_ptr<Tripwires> wires;
    bool is_done = false;
    wires = std::make_unique<Tripwires>(io, [&](std::uint64_t) { is_done = true; });
    const std::vector<Tripwires::Watched> wanted{{.check_id = 1, .config = &config}};
    wires->watch(wanted);
    write_file(directory / "x", "");
    REQUIRE(run_until(io, [&] { return is_done; }));
    wires.reset();
    io.restart();
    io.poll();
}

} // namespace
} // namespace anyvip::health
