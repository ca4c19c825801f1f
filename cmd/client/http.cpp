// SPDX-License-Identifier: Apache-2.0
// The exchange on the socket, and the response parser.
#include "cmd/client/http.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace anyvip::client {

namespace {

constexpr std::size_t most_head_octets = 64U << 10U;
constexpr std::size_t most_body_octets = 256U << 20U; // 10,000 VIPs need a few MiB

class Socket {
  public:
    explicit Socket(int descriptor) : descriptor_(descriptor) {}

    ~Socket() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    [[nodiscard]] int get() const { return descriptor_; }

  private:
    int descriptor_;
};

[[nodiscard]] std::unexpected<Unreachable> failed(std::string_view what) {
    return std::unexpected(Unreachable{std::string(what) + ": " + std::strerror(errno)});
}

[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::ranges::equal(a, b, {}, lower, lower);
}

[[nodiscard]] std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
        text.remove_suffix(1);
    }
    return text;
}

/// The whole of `text` as a number.
template <typename T> [[nodiscard]] bool to_number(std::string_view text, T& number, int base) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc() && end == text.data() + text.size();
}

[[nodiscard]] bool send_all(int descriptor, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t sent = ::send(descriptor, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        octets.remove_prefix(sent < 0 ? 0 : static_cast<std::size_t>(sent));
    }
    return true;
}

} // namespace

std::expected<Response, Unreachable> ask(const std::string& socket_path,
                                         const Request& request,
                                         std::chrono::seconds patience,
                                         const Sink& sink) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path) {
        return std::unexpected(Unreachable{socket_path + ": no path that a socket can have"});
    }
    std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
    const Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket.get() < 0) {
        return failed("socket");
    }
    const timeval limit{.tv_sec = static_cast<time_t>(patience.count()), .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(socket.get(), generic, sizeof address) != 0) {
        const bool is_absent = errno == ENOENT || errno == ECONNREFUSED;
        return std::unexpected(Unreachable{socket_path + ": " + std::strerror(errno), is_absent});
    }
    return ask_on(socket.get(), request, sink);
}

std::expected<Response, Unreachable>
ask_on(int descriptor, const Request& request, const Sink& sink) {
    // A daemon that refuses a request may close before it has read all of it: its answer counts.
    const bool is_sent = send_all(descriptor, encode(request));
    const int send_error = errno;
    ResponseParser parser;
    Response response;
    std::array<char, 16384> buffer;
    while (!parser.is_complete()) {
        const ssize_t count = ::recv(descriptor, buffer.data(), buffer.size(), 0);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            errno = is_sent ? errno : send_error;
            return errno == EAGAIN
                       ? std::unexpected(Unreachable{"the daemon does not answer in time"})
                       : failed("reading the answer");
        }
        if (count == 0) {
            if (!parser.end()) {
                return std::unexpected(
                    Unreachable{"the daemon ended the connection before its answer was complete"});
            }
            break;
        }
        const std::string_view octets(buffer.data(), static_cast<std::size_t>(count));
        if (!parser.feed(octets, response.body) || response.body.size() > most_body_octets) {
            return std::unexpected(Unreachable{"what answers there does not speak HTTP"});
        }
        const bool is_success = parser.status() >= 200 && parser.status() < 300;
        if (sink && is_success && !response.body.empty()) {
            const bool is_wanted = sink(response.body);
            response.body.clear();
            if (!is_wanted) {
                break;
            }
        }
    }
    response.status = parser.status();
    return response;
}

std::string encode(const Request& request) {
    std::string octets = request.method + ' ' + request.target +
                         " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    if (request.method == "POST") {
        octets += "Content-Type: application/json\r\nContent-Length: " +
                  std::to_string(request.body.size()) + "\r\n";
    }
    return octets + "\r\n" + request.body;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const bool is_unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                   (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                                   c == '~';
        if (is_unreserved) {
            encoded += c;
        } else {
            const auto octet = static_cast<unsigned char>(c);
            encoded += '%';
            encoded += digits[octet >> 4U];
            encoded += digits[octet & 15U];
        }
    }
    return encoded;
}

bool ResponseParser::feed(std::string_view octets, std::string& body) {
    while (!octets.empty() && stage_ != Stage::Complete) {
        switch (stage_) {
        case Stage::Head:
            if (read_line(octets) && (line_.ends_with("\r\n\r\n") || line_.ends_with("\n\n"))) {
                if (!read_head()) {
                    return false;
                }
                line_.clear();
            }
            break;
        case Stage::ChunkSize:
            if (read_line(octets)) {
                if (!read_chunk_size()) {
                    return false;
                }
                line_.clear();
            }
            break;
        case Stage::ChunkEnd:
            if (read_line(octets)) {
                if (!trim(std::string_view(line_).substr(0, line_.size() - 1)).empty()) {
                    return false;
                }
                line_.clear();
                stage_ = Stage::ChunkSize;
            }
            break;
        case Stage::Trailer:
            if (read_line(octets)) {
                const bool is_last =
                    trim(std::string_view(line_).substr(0, line_.size() - 1)).empty();
                line_.clear();
                stage_ = is_last ? Stage::Complete : Stage::Trailer;
            }
            break;
        case Stage::Length:
        case Stage::UntilClose:
        case Stage::Chunk:
            take(octets, body);
            break;
        case Stage::Complete:
            break;
        }
        if (line_.size() > most_head_octets) {
            return false;
        }
    }
    return true;
}

bool ResponseParser::end() {
    if (stage_ == Stage::UntilClose) {
        stage_ = Stage::Complete;
    }
    return is_complete();
}

/// Moves octets into `line_` up to the end of a line; true when there is one.
bool ResponseParser::read_line(std::string_view& octets) {
    const std::size_t end = octets.find('\n');
    const std::size_t count = end == std::string_view::npos ? octets.size() : end + 1;
    line_ += octets.substr(0, count);
    octets.remove_prefix(count);
    return end != std::string_view::npos;
}

/// RFC 9112 §4, §6: status line, then how the body ends.
bool ResponseParser::read_head() {
    std::string_view rest = line_;
    std::string_view line = rest.substr(0, rest.find('\n'));
    if (!line.starts_with("HTTP/1.") || line.size() < 12 ||
        !to_number(line.substr(9, 3), status_, 10)) {
        return false;
    }
    stage_ = Stage::UntilClose;
    while (rest.remove_prefix(line.size() + 1), !rest.empty()) {
        line = rest.substr(0, rest.find('\n'));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            continue;
        }
        const std::string_view name = line.substr(0, colon);
        const std::string_view value = trim(line.substr(colon + 1));
        if (equals_ignoring_case(name, "Transfer-Encoding") &&
            equals_ignoring_case(value, "chunked")) {
            stage_ = Stage::ChunkSize;
        } else if (equals_ignoring_case(name, "Content-Length") && stage_ != Stage::ChunkSize) {
            if (!to_number(value, left_, 10)) {
                return false;
            }
            stage_ = left_ == 0 ? Stage::Complete : Stage::Length;
        }
    }
    return true;
}

/// RFC 9112 §7.1: hexadecimal, extensions behind a semicolon are ignored.
bool ResponseParser::read_chunk_size() {
    const std::string_view line(line_.data(), line_.size() - 1);
    if (!to_number(trim(line.substr(0, line.find(';'))), left_, 16)) {
        return false;
    }
    stage_ = left_ == 0 ? Stage::Trailer : Stage::Chunk;
    return true;
}

void ResponseParser::take(std::string_view& octets, std::string& body) {
    const std::size_t count =
        stage_ == Stage::UntilClose ? octets.size() : std::min(left_, octets.size());
    body += octets.substr(0, count);
    octets.remove_prefix(count);
    if (stage_ != Stage::UntilClose) {
        left_ -= count;
        if (left_ == 0) {
            stage_ = stage_ == Stage::Chunk ? Stage::ChunkEnd : Stage::Complete;
        }
    }
}

} // namespace anyvip::client
