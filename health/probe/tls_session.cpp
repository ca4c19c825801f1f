// SPDX-License-Identifier: Apache-2.0
// SSL_* calls on the non-blocking socket, repeated when it is ready: no BIO of our own, no copy.
// OpenSSL writes without MSG_NOSIGNAL, so the program must ignore SIGPIPE, as daemons do anyway.
#include "health/probe/tls_session.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "health/probe/openssl.hpp"
#include "health/probe/run.hpp"

namespace anyvip::health {

namespace {

/// Only after `prepare` has loaded it.
const OpenSsl& openssl() {
    return **load_openssl();
}

struct Free {
    void operator()(SSL_CTX* context) const { openssl().SSL_CTX_free(context); }

    void operator()(SSL* session) const { openssl().SSL_free(session); }
};

using Context = std::unique_ptr<SSL_CTX, Free>;
using Session = std::unique_ptr<SSL, Free>;

/// Our own fault: no descriptor or memory.
bool is_openssl_exhausted() {
    const unsigned long code = openssl().ERR_peek_error();
    return ::ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ||
           (::ERR_GET_LIB(code) == ERR_LIB_SYS &&
            is_exhaustion({::ERR_GET_REASON(code), std::system_category()}));
}

/// The first error is the cause, those after it are where it passed through.
std::string openssl_error(std::string_view fallback) {
    const unsigned long code = openssl().ERR_peek_error();
    openssl().ERR_clear_error();
    if (::ERR_GET_LIB(code) == ERR_LIB_SYS) {
        return std::error_code(::ERR_GET_REASON(code), std::system_category()).message();
    }
    const char* const reason = code == 0 ? nullptr : openssl().ERR_reason_error_string(code);
    return std::string(reason == nullptr ? fallback : std::string_view(reason));
}

/// The trusted certificates, read again when the file has changed.
struct Trust {
    Context context;
    timespec changed{};
};

timespec modified(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mtim : timespec{};
}

/// One context for each `ca_file`; the empty name is the system's directory, of which OpenSSL reads
/// only the certificates that it needs. Null when the file cannot be used.
SSL_CTX* context_for(const std::string& ca_file) {
    static std::map<std::string, Trust> contexts; // the loop is one thread
    const timespec changed = ca_file.empty() ? timespec{} : modified(ca_file);
    Trust& trust = contexts[ca_file];
    const bool is_current = trust.context && trust.changed.tv_sec == changed.tv_sec &&
                            trust.changed.tv_nsec == changed.tv_nsec;
    if (is_current) {
        return trust.context.get();
    }
    Context fresh(openssl().SSL_CTX_new(openssl().TLS_client_method()));
    if (!fresh) {
        return nullptr;
    }
    // The macros SSL_CTX_set_mode and SSL_CTX_set_session_cache_mode.
    openssl().SSL_CTX_ctrl(
        fresh.get(), SSL_CTRL_MODE, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS, nullptr);
    openssl().SSL_CTX_ctrl(fresh.get(), SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, nullptr);
    const int loaded = ca_file.empty()
                           ? openssl().SSL_CTX_set_default_verify_paths(fresh.get())
                           : openssl().SSL_CTX_load_verify_file(fresh.get(), ca_file.c_str());
    if (loaded != 1) {
        return nullptr;
    }
    trust = {.context = std::move(fresh), .changed = changed};
    return trust.context.get();
}

/// OpenSSL looks up the system's certificates one by one, each in a file of its own; one that it
/// cannot open is to it one that does not exist.
std::error_code lookup_obstacle() {
    const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return {errno, std::system_category()};
    }
    ::close(descriptor);
    return {};
}

} // namespace

struct TlsSession::Impl {
    explicit Impl(StreamSocket& stream) : socket(stream) {}

    StreamSocket& socket;
    Session ssl;

    [[nodiscard]] Failure prepare(const TlsOptions& options, const std::string& host);

    /// Calls `step` (an SSL_* call) until it neither wants to read nor to write, then
    /// `done(its result, its SSL_get_error)`.
    template <typename Step, typename Done> void drive(Step step, Done done) {
        openssl().ERR_clear_error();
        const int result = step();
        const int error = openssl().SSL_get_error(ssl.get(), result);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            done(result, error);
            return;
        }
        socket.async_wait(error == SSL_ERROR_WANT_READ ? StreamSocket::wait_read
                                                       : StreamSocket::wait_write,
                          [this, step = std::move(step), done = std::move(done)](
                              const boost::system::error_code& waited) mutable {
                              if (!waited && socket.is_open()) {
                                  drive(std::move(step), std::move(done));
                              }
                          });
    }

    [[nodiscard]] Result handshake_failure(int error) const;
};

TlsSession::TlsSession(StreamSocket& socket) : impl_(std::make_unique<Impl>(socket)) {}

TlsSession::~TlsSession() = default;

void TlsSession::async_handshake(const TlsOptions& options,
                                 const std::string& host,
                                 std::function<void(Failure)> done) {
    if (Failure failure = impl_->prepare(options, host)) {
        boost::asio::post(impl_->socket.get_executor(),
                          [done = std::move(done), failure = std::move(failure)]() mutable {
                              done(std::move(failure));
                          });
        return;
    }
    impl_->drive([impl = impl_.get()] { return openssl().SSL_connect(impl->ssl.get()); },
                 [impl = impl_.get(), done = std::move(done)](int result, int error) {
                     done(result == 1 ? Failure{} : Failure(impl->handshake_failure(error)));
                 });
}

void TlsSession::async_write(std::string_view data, std::function<void(std::error_code)> written) {
    impl_->drive(
        [impl = impl_.get(), data] {
            return openssl().SSL_write(impl->ssl.get(), data.data(), static_cast<int>(data.size()));
        },
        [written = std::move(written)](int result, int) {
            written(result > 0 ? std::error_code{}
                               : std::make_error_code(std::errc::connection_reset));
        });
}

void TlsSession::async_read(std::array<char, 4096>& chunk,
                            std::function<void(std::error_code, std::string_view)> read) {
    impl_->drive(
        [impl = impl_.get(), &chunk] {
            return openssl().SSL_read(
                impl->ssl.get(), chunk.data(), static_cast<int>(chunk.size()));
        },
        [&chunk, read = std::move(read)](int result, int error) {
            if (result > 0) {
                read({}, std::string_view(chunk.data(), static_cast<std::size_t>(result)));
            } else if (error == SSL_ERROR_ZERO_RETURN) {
                read(boost::system::error_code(boost::asio::error::eof), {});
            } else {
                read(std::make_error_code(std::errc::connection_reset), {});
            }
        });
}

void TlsSession::shut_down() {
    if (impl_->ssl && openssl().SSL_is_init_finished(impl_->ssl.get()) == 1) {
        openssl().SSL_shutdown(impl_->ssl.get());
        openssl().ERR_clear_error();
    }
}

std::string TlsSession::version() const {
    return openssl().SSL_get_version(impl_->ssl.get());
}

std::optional<int> TlsSession::days_valid() const {
    const X509* const certificate = openssl().SSL_get0_peer_certificate(impl_->ssl.get());
    int days = 0;
    int seconds = 0;
    if (certificate == nullptr ||
        openssl().ASN1_TIME_diff(
            &days, &seconds, nullptr, openssl().X509_get0_notAfter(certificate)) != 1) {
        return std::nullopt;
    }
    return seconds < 0 ? days - 1 : days;
}

Failure TlsSession::Impl::prepare(const TlsOptions& options, const std::string& host) {
    if (const auto loaded = load_openssl(); !loaded) {
        return Result{.detail = "tls: " + loaded.error(), .is_our_fault = true};
    }
    SSL_CTX* const context = context_for(options.ca_file);
    ssl.reset(context == nullptr ? nullptr : openssl().SSL_new(context));
    if (!ssl || openssl().SSL_set_fd(ssl.get(), socket.native_handle()) != 1) {
        const std::string what =
            options.ca_file.empty() ? "tls" : "tls: ca_file " + options.ca_file;
        const bool is_our_fault = is_openssl_exhausted();
        return Result{.detail = what + ": " + openssl_error("cannot be set up"),
                      .is_our_fault = is_our_fault};
    }
    const std::string& name = options.sni.empty() ? host : options.sni;
    boost::system::error_code no_address;
    boost::asio::ip::make_address(name, no_address);
    const bool is_name = static_cast<bool>(no_address);
    if (is_name) { // RFC 6066 §3: no literal addresses in SNI
        // The macro SSL_set_tlsext_host_name without its old-style cast.
        std::string copy = name;
        openssl().SSL_ctrl(
            ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, copy.data());
    }
    if (options.verify) {
        openssl().SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, nullptr);
        // A scope (fe80::1%eth0) is ours alone, no certificate has it.
        const std::string address = name.substr(0, name.find('%'));
        const int is_set = is_name ? openssl().SSL_set1_host(ssl.get(), name.c_str())
                                   : openssl().X509_VERIFY_PARAM_set1_ip_asc(
                                         openssl().SSL_get0_param(ssl.get()), address.c_str());
        if (is_set != 1) { // unverified is not an option
            openssl().ERR_clear_error();
            return Result{.detail = "tls: no certificate can be for " + printable(name, 60)};
        }
    }
    return {};
}

Result TlsSession::Impl::handshake_failure(int error) const {
    const long verdict = openssl().SSL_get_verify_result(ssl.get());
    std::string why;
    if (verdict != X509_V_OK && openssl().SSL_get_verify_mode(ssl.get()) != SSL_VERIFY_NONE) {
        if (const std::error_code obstacle = lookup_obstacle()) {
            openssl().ERR_clear_error();
            return {.detail = "tls: certificates: " + obstacle.message(),
                    .is_our_fault = is_exhaustion(obstacle)};
        }
        why = "certificate: " + std::string(openssl().X509_verify_cert_error_string(verdict));
        openssl().ERR_clear_error();
    } else if (error == SSL_ERROR_SYSCALL && openssl().ERR_peek_error() == 0) {
        why = errno != 0 ? std::error_code(errno, std::system_category()).message() : "closed";
    } else {
        why = openssl_error("failed");
    }
    return {.outcome = Outcome::Fail, .detail = "tls handshake: " + why};
}

Failure expiry_failure(const TlsSession& session, const TlsOptions& options) {
    const auto days = session.days_valid();
    if (options.min_days_valid == 0 || !days || *days >= static_cast<int>(options.min_days_valid)) {
        return {};
    }
    return Result{.outcome = Outcome::Fail,
                  .detail = "certificate ends in " + std::to_string(*days) + " days, fewer than " +
                            std::to_string(options.min_days_valid),
                  .is_shared_only = true};
}

} // namespace anyvip::health
