#pragma once

namespace ap {

/// Lets large blocks that are freed go back to the system at once, for the whole process;
/// otherwise glibc keeps up to 32 MiB of them when they were once in use.
void return_freed_memory() noexcept;

/// Keeps up to 1 MiB that was freed at a thread's end of the heap, for the whole process.
/// Otherwise a thread that needs a little more and a little less by turns gives it back
/// and takes it again each time, and every other thread is interrupted for it.
void keep_freed_memory() noexcept;

} // namespace ap
