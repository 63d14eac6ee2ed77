import { write } from '../index.js';

const [seconds] = process.argv.slice(2);
if (seconds === undefined) {
    console.error('usage: durations SECONDS');
    process.exitCode = 2;
} else {
    console.log(write(Number(seconds)));
}
