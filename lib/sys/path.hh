#pragma once

#include "sys/fd.hh"

#include <string>
#include <string_view>

namespace ap {

/// `directory`/`name`, or `name` alone if it is absolute or `directory` is empty.
std::string join_path(std::string_view directory, std::string_view name);

/// The part of `path` before its last slash: "." without one, "/" for the root.
std::string parent_path(std::string_view path);

/// `path` made absolute against the working directory, without "." and "//" pieces. Links
/// are not resolved and the file need not exist.
std::string absolute_path(std::string_view path);

/// Whether something of any kind is at `path` (links followed).
bool path_exists(const std::string &path);

/// Makes `path` and the directories above it, with `mode` less the umask; those that
/// exist are left as they are.
void make_directories(const std::string &path, mode_t mode = 0777);

/// The whole of the file at `path`, at most `limit` bytes; "-" is standard input.
std::string read_file(const std::string &path, size_t limit);

/// Puts `data` at `path` so that a reader, or a crash at any moment, finds the old file
/// or the new one whole: temporary name, fsync, rename, fsync of the directory.
void write_file_atomically(const std::string &path, std::string_view data,
                           mode_t mode = 0666);

/// The same if nothing is at `path`; false if something is, which is left as it is. Of
/// several processes, on whatever machines, that do it at once one succeeds (link(2)).
bool create_file(const std::string &path, std::string_view data, mode_t mode = 0666);

/// The same as write_file_atomically() without the syncs: a reader finds the old file or
/// the new one, but a power loss may leave neither until sync_file_system() was called.
/// For files that can be made again.
void replace_file(const std::string &path, std::string_view data, mode_t mode = 0666);

/// Waits until everything written to the file system of `path` is on the disk (syncfs).
void sync_file_system(const std::string &path);

/// Removes the temporary names that write_file_atomically() and replace_file() of
/// processes which have been killed left in `directory`; not those below it. For a
/// directory that only processes of this machine write to.
void remove_left_temporaries(const std::string &directory);

/// Removes `path` and all below it without following links; nothing there is no error.
void remove_tree(const std::string &path);

/// Removes the file at `path`; nothing there is no error.
void remove_file(const std::string &path);

} // namespace ap
