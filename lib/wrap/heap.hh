#pragma once

namespace ap {

/// Lets large blocks that are freed go back to the system at once, for the whole process;
/// otherwise glibc keeps up to 32 MiB of them when they were once in use.
void return_freed_memory() noexcept;

} // namespace ap
