// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 as text, without sockets: octets become one request, an answer becomes octets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "cmd/daemon/http_client.hpp"

namespace anyvip::cmd {

struct HttpRequest {
    std::string method; ///< "GET"
    std::string path;   ///< percent-decoded, without the query; printable UTF-8, as the query is
    std::map<std::string, std::string, std::less<>> query;
    std::string host; ///< the Host field, without port, in lower case
    std::string body; ///< at most limits::http_body_octets
    HttpClient client;
};

/// What a listener takes: the public one has no use for bodies.
enum class HttpBodies : std::uint8_t { Accepted, Refused };

/// Reads the one request of a connection.
class HttpReader {
  public:
    explicit HttpReader(HttpBodies bodies);
    ~HttpReader();
    HttpReader(const HttpReader&) = delete;
    HttpReader& operator=(const HttpReader&) = delete;

    enum class Progress : std::uint8_t { NeedsMore, Complete, Refused };

    /// Not to be called again after another answer than NeedsMore. Keeps at most a head and a body.
    [[nodiscard]] Progress feed(std::string_view octets);

    /// After Complete; all but `client`.
    [[nodiscard]] HttpRequest request() const;

    /// After Refused: 400, 405 or 413, and why in a few words.
    struct Refusal {
        unsigned status = 0;
        std::string_view error;
    };

    [[nodiscard]] Refusal refusal() const { return refusal_; }

  private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
    HttpBodies bodies_;
    Refusal refusal_;
};

/// The head of an answer; `framing` is its Content-Length or Transfer-Encoding field.
[[nodiscard]] std::string
http_head(unsigned status, std::string_view content_type, std::string_view framing);

/// One chunk of Transfer-Encoding: chunked.
[[nodiscard]] std::string http_chunk(std::string_view octets);

/// Percent-decoding of a path or query part; bad escapes are kept as they are.
[[nodiscard]] std::string percent_decode(std::string_view text);

/// Splits a request target into path and query.
void parse_target(std::string_view target, HttpRequest& request);

} // namespace anyvip::cmd
