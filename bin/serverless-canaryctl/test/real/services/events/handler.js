exports.hello = async () => ({ statusCode: 200, body: 'one' });
exports.hook = async () => ({ status: 'Succeeded' });
