// SPDX-License-Identifier: Apache-2.0
// OpenSSL, loaded by the first TLS check: a daemon without one has neither its 2 MB nor its
// start-up time. The functions are those of the system's library, whose ABI is stable for its
// soname.
#pragma once

#include <expected>
#include <string>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace anyvip::health {

// One list for the members and for their loading.
#define ANYVIP_OPENSSL_FUNCTIONS(DO)                                                               \
    DO(ASN1_TIME_diff)                                                                             \
    DO(ERR_clear_error)                                                                            \
    DO(ERR_peek_error)                                                                             \
    DO(ERR_reason_error_string)                                                                    \
    DO(SSL_CTX_ctrl)                                                                               \
    DO(SSL_CTX_free)                                                                               \
    DO(SSL_CTX_load_verify_file)                                                                   \
    DO(SSL_CTX_new)                                                                                \
    DO(SSL_CTX_set_default_verify_paths)                                                           \
    DO(SSL_connect)                                                                                \
    DO(SSL_ctrl)                                                                                   \
    DO(SSL_free)                                                                                   \
    DO(SSL_get0_param)                                                                             \
    DO(SSL_get0_peer_certificate)                                                                  \
    DO(SSL_get_error)                                                                              \
    DO(SSL_get_verify_mode)                                                                        \
    DO(SSL_get_verify_result)                                                                      \
    DO(SSL_get_version)                                                                            \
    DO(SSL_is_init_finished)                                                                       \
    DO(SSL_new)                                                                                    \
    DO(SSL_read)                                                                                   \
    DO(SSL_set1_host)                                                                              \
    DO(SSL_set_fd)                                                                                 \
    DO(SSL_set_verify)                                                                             \
    DO(SSL_shutdown)                                                                               \
    DO(SSL_write)                                                                                  \
    DO(TLS_client_method)                                                                          \
    DO(X509_VERIFY_PARAM_set1_ip_asc)                                                              \
    DO(X509_get0_notAfter)                                                                         \
    DO(X509_verify_cert_error_string)

struct OpenSsl {
#define ANYVIP_DECLARE(name) decltype(&::name) name = nullptr;
    ANYVIP_OPENSSL_FUNCTIONS(ANYVIP_DECLARE)
#undef ANYVIP_DECLARE
};

/// Loads it once for the life of the process. Otherwise why not, to be tried again by the next
/// call.
[[nodiscard]] std::expected<const OpenSsl*, std::string> load_openssl();

} // namespace anyvip::health
