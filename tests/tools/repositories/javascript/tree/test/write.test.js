import assert from 'node:assert/strict';
import test from 'node:test';

import { write } from '../index.js';

test('nothing is written as no seconds', () => {
    assert.equal(write(0), '0s');
});

test('units are written from the largest', () => {
    assert.equal(write(3725), '1h 2m 5s');
});

test('units without a count are left out', () => {
    assert.equal(write(3600), '1h');
});

test('what is no whole number is refused', () => {
    assert.throws(() => write(0.5), RangeError);
});
