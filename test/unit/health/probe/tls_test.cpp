// SPDX-License-Identifier: Apache-2.0
// tls and https checks against OpenSSL's own s_server, with certificates good and bad.
#include <csignal>
#include <filesystem>
#include <vector>

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/unit/health/probe/support.hpp"

namespace anyvip::health {
namespace {

using namespace test;

constexpr const char* openssl = "/usr/bin/openssl";

pid_t spawn(std::vector<std::string> command, const std::string& folder) {
    std::vector<char*> argv;
    for (std::string& argument : command) {
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    for (const int descriptor : {0, 1, 2}) {
        ::posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", 2, 0);
    }
    pid_t pid = 0;
    REQUIRE(::posix_spawn(&pid, openssl, &actions, nullptr, argv.data(), environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/// A folder with certificates, made once; all of them for www.example.org and 127.0.0.1.
class Certificates {
  public:
    Certificates()
        : folder_(std::filesystem::temp_directory_path() /
                  ("anyvip-tls-" + std::to_string(::getpid()))) {
        std::filesystem::create_directory(folder_);
        run({"req",
             "-x509",
             "-newkey",
             "ec",
             "-pkeyopt",
             "ec_paramgen_curve:P-256",
             "-nodes",
             "-keyout",
             "key.pem",
             "-out",
             "good.pem",
             "-days",
             "30",
             "-subj",
             "/CN=test",
             "-addext",
             "subjectAltName=DNS:www.example.org,IP:127.0.0.1"});
        run({"x509",
             "-in",
             "good.pem",
             "-signkey",
             "key.pem",
             "-days",
             "-1",
             "-out",
             "expired.pem"});
    }

    ~Certificates() { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string folder() const { return folder_.string(); }

    [[nodiscard]] std::string file(const std::string& name) const {
        return (folder_ / (name + ".pem")).string();
    }

  private:
    void run(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), openssl);
        const pid_t pid = spawn(std::move(arguments), folder());
        int status = -1;
        ::waitpid(pid, &status, 0);
        REQUIRE(status == 0);
    }

    std::filesystem::path folder_;
};

/// s_server on a free port, ready to answer.
class TlsServer {
  public:
    TlsServer(const Certificates& certificates,
              const std::string& name,
              std::vector<std::string> options)
        : port_(dead_target().substr(10)) {
        std::vector<std::string> command{openssl,
                                         "s_server",
                                         "-accept",
                                         "127.0.0.1:" + port_,
                                         "-cert",
                                         name + ".pem",
                                         "-key",
                                         "key.pem"};
        command.insert(command.end(), options.begin(), options.end());
        pid_ = spawn(command, certificates.folder());
        const Instant end = std::chrono::steady_clock::now() + patience;
        while (probe(config_of(TcpTarget{.target = target()})).outcome != Outcome::Pass) {
            REQUIRE(std::chrono::steady_clock::now() < end);
        }
    }

    ~TlsServer() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    [[nodiscard]] std::string target() const { return "127.0.0.1:" + port_; }

  private:
    std::string port_;
    pid_t pid_ = 0;
};

/// A certificate made in this very second has 30 whole days left, in the next one 29.
std::string a_second_later(std::string detail) {
    if (const auto at = detail.find("30 days"); at != std::string::npos) {
        detail.replace(at, 2, "29");
    }
    return detail;
}

TEST_CASE("tls and https: chain, name, days and version decide" *
          doctest::skip(!std::filesystem::exists(openssl))) {
    std::signal(SIGPIPE, SIG_IGN); // as the daemon does
    const Certificates certificates;
    const TlsServer good(certificates, "good", {"-www"});
    const std::string ca = certificates.file("good");

    struct Row {
        TlsOptions options;
        Outcome outcome;
        const char* detail;
        bool is_shared_only = false;
    };

    const std::vector<Row> rows{
        {{.ca_file = ca}, Outcome::Pass, "TLSv1.3, certificate ends in 29 days"},
        {{.sni = "www.example.org", .ca_file = ca},
         Outcome::Pass,
         "TLSv1.3, certificate ends in 29 days"},
        {{.sni = "www.example.com", .ca_file = ca},
         Outcome::Fail,
         "tls handshake: certificate: hostname mismatch"},
        {{.sni = "192.0.2.1", .ca_file = ca},
         Outcome::Fail,
         "tls handshake: certificate: IP address mismatch"},
        {{}, Outcome::Fail, "tls handshake: certificate: self-signed certificate"},
        {{.sni = "fe80::1%lo", .ca_file = ca},
         Outcome::Fail,
         "tls handshake: certificate: IP address mismatch"},
        {{.verify = false}, Outcome::Pass, "TLSv1.3, certificate ends in 29 days"},
        {{.ca_file = "/nonexistent.pem"},
         Outcome::Error,
         "tls: ca_file /nonexistent.pem: No such file or directory"},
        {{.ca_file = ca, .min_days_valid = 29},
         Outcome::Pass,
         "TLSv1.3, certificate ends in 29 days"},
        {{.ca_file = ca, .min_days_valid = 40},
         Outcome::Fail,
         "certificate ends in 29 days, fewer than 40",
         true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.detail);
        const Result result =
            probe(config_of(TlsTarget{.target = good.target(), .tls = row.options}));
        CHECK(result.outcome == row.outcome);
        CHECK(a_second_later(result.detail) == row.detail);
        CHECK(result.is_shared_only == row.is_shared_only);
        HttpTarget https{.url = "https://" + good.target() + "/"};
        https.expect_body = "Ciphers";
        https.tls = row.options;
        const Result fetched = probe(config_of(https));
        CHECK(fetched.outcome == row.outcome);
        CHECK(a_second_later(fetched.detail) ==
              (row.outcome == Outcome::Pass ? "200 ok" : row.detail));
        CHECK(fetched.is_shared_only == row.is_shared_only);
    }
}

TEST_CASE("tls: without a descriptor for certificates the error is our own fault" *
          doctest::skip(!std::filesystem::exists(openssl))) {
    std::signal(SIGPIPE, SIG_IGN);
    const Certificates certificates;
    const TlsServer good(certificates, "good", {"-www"});
    boost::asio::io_context io;
    const TlsOptions any{.verify = false}; // afterwards OpenSSL is loaded, and the loop has its own
    REQUIRE(probe(io, config_of(TlsTarget{.target = good.target(), .tls = any})).outcome ==
            Outcome::Pass);
    io.restart();
    // The lowest free number is the socket's; there is none after it.
    const int next = ::dup(0);
    ::close(next);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit one{.rlim_cur = static_cast<rlim_t>(next) + 1, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &one) == 0);
    std::vector<Result> results;
    for (const std::string& ca_file : {certificates.file("good"), std::string("")}) {
        const TlsTarget target{.target = good.target(), .tls = {.ca_file = ca_file}};
        results.push_back(probe(io, config_of(target)));
        io.restart();
    }
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    for (const Result& result : results) {
        CAPTURE(result.detail);
        CHECK(result.outcome == Outcome::Error);
        CHECK(result.is_our_fault);
        CHECK(result.detail.ends_with("Too many open files"));
    }
}

TEST_CASE("tls: an expired certificate, an old version, and a server that speaks no TLS" *
          doctest::skip(!std::filesystem::exists(openssl))) {
    std::signal(SIGPIPE, SIG_IGN);
    const Certificates certificates;
    const TlsServer expired(certificates, "expired", {"-www"});
    const auto run = [](const std::string& target, TlsOptions options) {
        return probe(
            config_of(TlsTarget{.target = target, .tls = std::move(options)}, milliseconds(500)));
    };
    Result result = run(expired.target(), {.ca_file = certificates.file("expired")});
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail == "tls handshake: certificate: certificate has expired");
    CHECK(!result.is_shared_only);

    const TlsServer old(certificates, "good", {"-www", "-tls1", "-cipher", "DEFAULT@SECLEVEL=0"});
    result = run(old.target(), {.verify = false});
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail.starts_with("tls handshake: "));

    boost::asio::io_context io;
    std::vector<Server::Connection> held;
    const Server silent(io, [&](Server::Connection connection) { held.push_back(connection); });
    result = probe(io, config_of(TlsTarget{.target = silent.target()}, milliseconds(200)));
    CHECK(result.outcome == Outcome::Timeout);
    CHECK(result.detail == "tls handshake timeout after 0.2 s");

    const Server closing(io, [](const auto&) {});
    result = probe(io, config_of(TlsTarget{.target = closing.target()}));
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail.starts_with("tls handshake: "));
    CHECK(run(dead_target(), {}).is_hard);
}

} // namespace
} // namespace anyvip::health
