// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over the daemon's unix socket, blocking and without a library: `anyvip drain` must be at
// the daemon within a millisecond or two of its start.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace anyvip::client {

struct Request {
    std::string method = "GET";
    std::string target;
    std::string body; ///< JSON; sent with POST only
};

/// The octets of a request; the connection ends with its answer.
[[nodiscard]] std::string encode(const Request& request);

/// An octet of a path segment or query value is kept when RFC 3986 calls it unreserved.
[[nodiscard]] std::string percent_encode(std::string_view text);

/// Reads one response from octets in any portions. Limits: 64 KiB of header. The body is handed out
/// as it comes.
class ResponseParser {
  public:
    /// Adds the decoded part of the body to `body`. False: this is no HTTP response.
    [[nodiscard]] bool feed(std::string_view octets, std::string& body);
    /// The connection has ended. False: in the midst of the response.
    [[nodiscard]] bool end();

    /// 0 until the header is complete.
    [[nodiscard]] unsigned status() const { return status_; }

    [[nodiscard]] bool is_complete() const { return stage_ == Stage::Complete; }

  private:
    enum class Stage { Head, Length, UntilClose, ChunkSize, Chunk, ChunkEnd, Trailer, Complete };

    [[nodiscard]] bool read_head();
    [[nodiscard]] bool read_line(std::string_view& octets);
    [[nodiscard]] bool read_chunk_size();
    void take(std::string_view& octets, std::string& body);

    Stage stage_ = Stage::Head;
    std::string line_; ///< head, chunk size or trailer that is not complete yet
    std::size_t left_ = 0;
    unsigned status_ = 0;
};

/// Why there was no answer.
struct Unreachable {
    std::string reason;
    bool is_absent = false; ///< nobody listens there
};

/// Called with each portion of the body of a 2xx answer. False: enough.
using Sink = std::function<bool(std::string_view portion)>;

struct Response {
    unsigned status = 0;
    std::string body; ///< empty when a sink took it
};

/// Connects, asks, reads the answer. `patience`: the longest silence of the daemon; zero for ever.
[[nodiscard]] std::expected<Response, Unreachable> ask(const std::string& socket_path,
                                                       const Request& request,
                                                       std::chrono::seconds patience,
                                                       const Sink& sink = {});

/// The same on a connected socket, which stays the caller's.
[[nodiscard]] std::expected<Response, Unreachable>
ask_on(int descriptor, const Request& request, const Sink& sink = {});

} // namespace anyvip::client
