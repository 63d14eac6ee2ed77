export { write } from './lib/write.js';
