// SPDX-License-Identifier: Apache-2.0
// An owned file descriptor: closed once, at the end of its owner's life.
#pragma once

#include <unistd.h>

#include <utility>

namespace anyvip::bgp::net {

/// Move-only owner of a descriptor; -1 is "none".
class FileDescriptor {
  public:
    FileDescriptor() = default;

    explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}

    FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(other.release()) {}

    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            close();
            descriptor_ = other.release();
        }
        return *this;
    }

    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    ~FileDescriptor() { close(); }

    [[nodiscard]] int get() const { return descriptor_; }

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

    /// Gives ownership away.
    [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }

    void close() {
        if (descriptor_ >= 0) {
            ::close(std::exchange(descriptor_, -1));
        }
    }

  private:
    int descriptor_ = -1;
};

} // namespace anyvip::bgp::net
