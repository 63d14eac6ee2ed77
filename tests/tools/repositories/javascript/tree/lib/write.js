const units = [[3600, 'h'], [60, 'm'], [1, 's']];

// Seconds as "1h 2m 5s"; units without a count are left out.
export function write(seconds) {
    if (!Number.isInteger(seconds) || seconds < 0) {
        throw new RangeError(`expected whole seconds, got ${seconds}`);
    }
    const words = [];
    let rest = seconds;
    for (const [size, unit] of units) {
        const count = Math.floor(rest / size);
        rest %= size;
        if (count > 0) {
            words.push(`${count}${unit}`);
        }
    }
    return words.join(' ') || '0s';
}
