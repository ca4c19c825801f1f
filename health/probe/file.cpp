// SPDX-License-Identifier: Apache-2.0
// file: is a path there or not.
#include <cerrno>
#include <utility>

#include <sys/stat.h>

#include "health/probe/run.hpp"

namespace anyvip::health {

namespace {

class FileRun : public Run {
  public:
    FileRun(const FileTarget& target, RunContext& context)
        : Run(context), path_(target.path), up_when_present_(target.up_when_present) {}

  private:
    // One stat of a local path. A path on a hanging network file system does not belong in a check;
    // an exec check is the place for that, as its own process.
    void begin() override {
        enter("file");
        struct stat status{};
        const bool is_present = ::stat(path_.c_str(), &status) == 0;
        if (!is_present && errno != ENOENT && errno != ENOTDIR) {
            fail_to_run(path_, {errno, std::system_category()});
            return;
        }
        // A marker that says no has said so: there is nothing to count.
        finish({.outcome = is_present == up_when_present_ ? Outcome::Pass : Outcome::Fail,
                .detail = path_ + (is_present ? " is present" : " is absent"),
                .is_hard = is_present != up_when_present_});
    }

    void close() override {}

    std::string path_;
    bool up_when_present_;
};

} // namespace

RunPointer make_run(const FileTarget& target, RunContext context) {
    return std::make_shared<FileRun>(target, context);
}

} // namespace anyvip::health
