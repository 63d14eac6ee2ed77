#pragma once

#include "domain/doctor.hh"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Gathers the findings of the checks.
class DoctorNotes
{
public:
    explicit DoctorNotes(const DoctorOptions &options)
        : options_(options)
    {
    }

    void add(Severity severity, std::string_view check, std::string message,
             std::string command);

    /// Records that something was put right.
    void fixed(std::string what) { report_.fixed.push_back(std::move(what)); }

    /// Makes a check; an Error out of it is a finding of that check.
    void make(std::string_view check, const std::function<void()> &work);

    const DoctorOptions &options() const noexcept { return options_; }
    DoctorReport take() { return std::move(report_); }

private:
    const DoctorOptions &options_;
    DoctorReport report_;
};

/// A command of the suite for the database that is looked at, in words for a shell.
std::string suite_command(const DoctorOptions &options, std::string_view words);

/// The word in quotes for a shell, if it needs them.
std::string shell_word(std::string_view word);

/// Who may read and write the database, the runs directory and files of keys.
void check_permissions(DoctorNotes &notes);

/// Free space, and the age of the newest backup.
void check_disk(DoctorNotes &notes);
void check_backups(DoctorNotes &notes, const Clock &clock);

/// The service manager's units that failed, and the versions of the libraries.
void check_units(DoctorNotes &notes);
void check_libraries(DoctorNotes &notes);

} // namespace ap
