export const CONFIG = '';
export const CHECKS = {};
